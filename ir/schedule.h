/* Between the files that make a plan: plan.c, groups.c, schedule.c. */
#ifndef ACTC_IR_SCHEDULE_H
#define ACTC_IR_SCHEDULE_H

#include "ir.h"

/* The groups of the axes, in their order; returns how many. */
size_t find_groups(const Graph *g, AxisSet *groups);
/* Fills groups, nests and saved of a plan that has its arguments. NULL, or why there is no plan. */
const char *schedule(Plan *p);
/* Steps for what `roots` need. `available` nodes have values already, and become available here where
 * `inside` holds of them; the others are left out. */
typedef bool Inside(const void *user, const Node *n);
void place_steps(const Graph *g, PlanBlock *block, const Node *const *roots, size_t nroots,
                 bool *available, Inside *inside, const void *user);

#endif
