/*
 * canary: how a version reaches the fleet, and how it comes back.
 *
 *	select.h    which targets are canaries; pins
 *	verdict.h   what their decisions say about the version
 *
 * What is here decides and does nothing else: values in, values out.
 */
#ifndef CANARY_CANARY_H
#define CANARY_CANARY_H

#include "canary/select.h"
#include "canary/verdict.h"

#endif
