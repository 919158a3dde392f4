"""Payer policies: what a channel costs a payer, one module an implementation.

Each module has `hop`, its cost function: what going over one channel adds to a route's cost, and with what
probability the channel is thought to carry the amount. It is plain Python, and the same lines are compiled into the
path search (`kernels`), so that reading it is reading what runs. A route costs

    sum of weights + attempt cost / product of probabilities, less one attempt cost

of which a policy may leave either half out. `terms` says what a cost function is given; `choice` makes a policy out
of a payer's settings; what payers learn is kept in `belief`, in the columns that each module names.
"""
