/*
 * float53: floats of 53 bits without end of exponent, but for that of a long
 * double. OPA's product() counts in them, while its other floats have 64 bits.
 */
#ifndef REGO_BUILTIN_FLOAT53_H
#define REGO_BUILTIN_FLOAT53_H

#include "rego/value.h"

/* x * y rounded to 53 bits at once, half to even. */
long double float53_mul(long double x, long double y);

/*
 * As OPA prints it, with the shortest digits that name it: a whole number in
 * full, else with an exponent when that is less than -4 or more than 5.
 */
struct value float53_value(struct arena *a, long double x);

#endif
