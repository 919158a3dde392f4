"""Settings of what happens to channels on L1 when a peer is silent, fails or cheats."""

from pydantic import Field

from l2sim.config import Config


class UpdateFee(Config):
    """The funder of a channel follows the fee market with the commitment's fee rate (BOLT 2 update_fee)."""

    every_s: float = Field(1_800.0, ge=1, le=1e7)
    """How often it looks at the market (LND re-proposes every 10 to 60 minutes)."""
    target_blocks: int = Field(2, ge=1, le=1_008)
    """Blocks within which the commitment should confirm by its own fee."""
    change_share: float = Field(0.1, ge=0, le=10)
    """It proposes a new rate when that is off by more than this share (eclair: 10 %)."""
    most_sat_per_kw: int = Field(2_500, ge=253, le=10**6)
    """It never proposes more (LND and eclair with anchors: 10 sat/vB)."""


class Watchtower(Config):
    """A tower that watches for revoked commitments while its client is away (LND watchtower)."""

    clients_share: float = Field(1.0, ge=0, le=1)
    """Share of victims that have one."""
    sweep_sat_per_kw: int = Field(2_500, ge=253, le=10**6)
    """Fee rate of the penalty transaction, fixed when the state was backed up (LND wtpolicy: 2,500); a tower has no
    key to raise it."""
    reward_ppm: int = Field(0, ge=0, le=500_000)
    """What the tower keeps of what it saves, in millionths (LND altruist: none; reward sessions: 10,000)."""
    updates_per_session: int = Field(1_024, ge=1, le=65_535)
    """Backups a session holds (LND wtpolicy DefaultMaxUpdates)."""
    session_price_sat: int = Field(0, ge=0, le=10**9)
    """What a client pays for a session."""


class Breach(Config):
    """Nodes that cheat: each remembers the state of every channel of its in which it owned most, while idle.

    When it owns less than then by `gain_share` of the capacity, it publishes that old commitment with the
    probability given, and takes its balance after the delay unless the victim, or its watchtower, punishes it.
    """

    cheaters_share: float = Field(0.01, gt=0, le=1)
    """Share of nodes that cheat."""
    probability: float = Field(0.1, gt=0, le=1)
    """Chance that a cheater publishes, each time it looks and it would gain enough."""
    gain_share: float = Field(0.2, gt=0, le=1)
    """What it must gain, as a share of the channel's capacity."""
    every_s: float = Field(3_600.0, ge=60, le=1e7)
    """How often it looks at its channels."""
    victim_away_share: float = Field(0.0, ge=0, le=1)
    """Chance that the victim is away when the old commitment confirms."""
    victim_back_blocks: int = Field(432, ge=1, le=10_000)
    """Blocks after which a victim that was away is back and acts, if it is not too late."""
    watchtower: Watchtower | None = None
    """What watches for victims that are away; None: nothing does."""


class ChainRules(Config):
    """What happens to channels on L1 beyond funding and mutual closes.

    Failures, breaches and update_fee begin with the payment phase; nothing fails or is cheated any more once users
    leave, and what is under way then goes on to its end.
    """

    to_self_delay_blocks: int = Field(144, ge=1, le=2_016)
    """Blocks that who publishes a commitment waits for its own money (BOLT 2; LND 144 to 2016, CLN 144, eclair 720)."""
    forced_per_channel_year: float = Field(0.0, ge=0, le=10_000)
    """Channels that one side forces on chain for reasons of its own (lost data, bugs, a peer that is gone), per
    channel and year, evenly over all channels that are open. Needs `channels.dance: full`."""
    uncooperative_share: float = Field(0.0, ge=0, le=1)
    """Share of leaving users whose router does not answer: they close by force."""
    claim_blocks: int = Field(16, ge=0, le=2_016)
    """A node that knows the preimage of an HTLC that its peer does not take out goes on chain this many blocks
    before the expiry (LND lncfg/config.go: 16; LDK 36, eclair 24, BOLT 2: 18)."""
    grace_blocks: int = Field(0, ge=0, le=144)
    """A node whose offered HTLC is not taken out goes on chain this many blocks after the expiry (LND 0, LDK 3)."""
    commitment_target_blocks: int = Field(6, ge=1, le=1_008)
    """Blocks within which a commitment without HTLCs should confirm; with HTLCs their expiry decides."""
    sweep_target_blocks: int = Field(36, ge=1, le=1_008)
    """Blocks within which sweeps that nothing presses should confirm."""
    budget_share: float = Field(0.5, gt=0, le=1)
    """The most that is paid in fees to save an output, as a share of its value (LND contractcourt/config.go: 50 %)."""
    most_sat_per_vbyte: int = Field(1_000, ge=1, le=100_000)
    """No fee rate beyond this is bid (LND sweep: 1,000)."""
    update_fee: UpdateFee | None = None
    """How funders follow the fee market; None: the fee rate stays. Needs `channels.dance: full`."""
    breach: Breach | None = None
    """Who cheats; None: nobody does."""
