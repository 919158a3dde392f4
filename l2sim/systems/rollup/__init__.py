"""A rollup: accounts on L2, a sequencer, batches on L1, and settlement by challenge or by proof.

A payment's way: `sequencer` (with `accounts`, `kernels`, `transactions`, `fees`) makes and confirms L2 blocks;
`batcher` (with `channel`, `roots`, `posting`) posts them to L1 in their real bytes; `settlement` makes them final.
`bridge` lets users' money in and out, `leaving` says when; `l1_account` signs and sends what goes to L1; `system`
puts it together.
"""
