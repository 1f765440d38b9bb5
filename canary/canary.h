/*
 * canary: how a version reaches the fleet, and how it comes back.
 *
 *	select.h    which targets are canaries; pins
 *	strata.h    which decisions are compared with which
 *	window.h    from decisions as they arrive to windows of counts
 *	verdict.h   what these say about the version
 *	channel.h   which version each target gets: the record, its events
 *	state.h     where records, ledger, versions and targets are kept
 *
 * All but state.h decides and does nothing else: values in, values out.
 */
#ifndef CANARY_CANARY_H
#define CANARY_CANARY_H

#include "canary/channel.h"
#include "canary/select.h"
#include "canary/state.h"
#include "canary/strata.h"
#include "canary/verdict.h"
#include "canary/window.h"

#endif
