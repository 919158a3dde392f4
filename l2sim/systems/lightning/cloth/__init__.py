"""CLoTH compatibility: the same network and the same payments as the simulator CLoTH, with the same results.

CLoTH (C, models lnd 0.10) is the reference simulator of payment channel networks. This package computes what CLoTH
computes, from a description of its behaviour: its order of events and of equally good routes, its random numbers
and its defects included. The other policies of `l2sim.systems.lightning` share nothing with it.

Defects that are reproduced here on purpose, and where; `corrections` puts most of them right, one by one:

====  ========================================================================================  ====================
name  what CLoTH does                                                                           reproduced in
====  ========================================================================================  ====================
D1    "95 %" intervals use the quantile 0.0633 instead of 2.0452: 32 times too narrow           statistics
D2    the penalty of a failure halves in 24 minutes, not in the hour that was meant             rules.HALF_LIFE_MS
D3    a success never raises a pair's own probability; a failure counts for every amount        kernels_memory
D4    the first route of each payment is searched at time 0, on initial balances                kernels_events
D5    multi-path is one split into two halves, each kept whatever becomes of the other          kernels_events
D6    amounts and latencies hardly vary: a normal deviation of 1 sat, of 1 ms                   rules.HOP_MS
D7    offline is a coin thrown at every hop, not the state of a node                            kernels_events
D8    a new record of a failure has no largest success; read as 0, as in the recorded runs      memory
D9    a failure is forgotten if a smaller one is on record and less than 60 s old (a record of  memory
      a success only counts as a failure of 0 msat at time 0)
D10   the timeout of 60 s is looked at only when a new search begins; no HTLC ever expires      kernels_events
D11   "failed for lack of balance" means: some attempt did, and then no route was left          statistics
====  ========================================================================================  ====================
"""
