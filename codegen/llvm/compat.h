/* What differs between versions of LLVM: only this file tests LLVM_VERSION_MAJOR. */
#ifndef ACTC_LLVM_COMPAT_H
#define ACTC_LLVM_COMPAT_H

#include <llvm/Config/llvm-config.h>

#if LLVM_VERSION_MAJOR < 19
#error "actc needs LLVM 19.1"
#elif LLVM_VERSION_MAJOR > 19
#error "not tried: masked loads and stores lose their alignment argument in 22, among others"
#endif

#endif
