/* channel_json: shapes of the channel that the ledger's lines are made of. */
#ifndef CANARY_CHANNEL_JSON_H
#define CANARY_CHANNEL_JSON_H

#include "canary/channel.h"
#include "canary/shape.h"

extern const struct shape channel_event_shape;

#endif
