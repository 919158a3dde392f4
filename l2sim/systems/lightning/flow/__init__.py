"""Min-cost flow: an amount divided over all channels at once, so that the parts together are likely and cheap.

Pickhardt and Richter, arXiv 2107.05322, as Core Lightning's askrene makes it (plugins/askrene/child/mcf.c). An amount
is at most a thousand `units`; what is uncertain of a channel, between the least and the most that it is believed to
hold, is taken in pieces of rising cost a unit (`arcs`). The flow of least cost is found by shortest paths, one after
the other, over what is left and what can be taken back (`kernels`, with `reference` for readers), then taken apart
into routes that keep every channel's exact terms (`planning`).
"""
