/* What was found about one quantity: the largest error and where, the mean, and how often a result
 * was wrong in kind. */
#include <math.h>
#include <string.h>

#include "runtime.h"

void tally_worst(Tally *t, const uint64_t *point, size_t inputs, uint64_t result, double ulp) {
    if (t->has_worst && !(ulp > t->worst)) return;
    t->has_worst = true;
    t->worst = ulp;
    t->worst_result = result;
    memcpy(t->worst_at, point, inputs * sizeof *point);
}

void tally_fault(Tally *t, const uint64_t *point, size_t inputs, uint64_t result, Fault fault) {
    if (t->faults[fault]++) return;
    t->fault_result[fault] = result;
    memcpy(t->fault_at[fault], point, inputs * sizeof *point);
}

void tally_undecided(Tally *t, const uint64_t *point, size_t inputs) {
    if (!t->undecided++) memcpy(t->undecided_at, point, inputs * sizeof *point);
}

void tally_add(Tally *t, const uint64_t *point, size_t inputs, uint64_t result, bool judged,
               double ulp, Fault fault) {
    t->points++;
    if (!judged) return;
    if (fault != FAULT_NONE) tally_fault(t, point, inputs, result, fault);
    if (fault == FAULT_NAN || fault == FAULT_NUMBER) return;
    t->judged++;
    t->sum += ulp;
    tally_worst(t, point, inputs, result, ulp);
}

void tally_merge(Tally *to, const Tally *from, size_t inputs) {
    to->points += from->points;
    to->judged += from->judged;
    if (!to->undecided)
        memcpy(to->undecided_at, from->undecided_at, inputs * sizeof *to->undecided_at);
    to->undecided += from->undecided;
    to->sum += from->sum;
    if (from->has_worst) tally_worst(to, from->worst_at, inputs, from->worst_result, from->worst);
    for (int f = 0; f < FAULT_COUNT; f++) {
        if (!from->faults[f]) continue;
        if (!to->faults[f]) {
            to->fault_result[f] = from->fault_result[f];
            memcpy(to->fault_at[f], from->fault_at[f], inputs * sizeof *from->fault_at[f]);
        }
        to->faults[f] += from->faults[f];
    }
}
