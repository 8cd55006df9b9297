package order

import "warren/rooms"

// Limits. They bound memory and work per room, whatever others send.
const (
	MaxPending      = 4096                     // requests waiting at the leader: some seconds of a busy room
	MaxPendingBytes = 4 << 20                  // bytes of them
	MaxUnderWay     = 8                        // batches of a leader that are not certified yet: fills a round trip without hiding overload
	MaxUncertified  = 32                       // steps a controller runs ahead of the certified head: what several short-lived leaders may leave behind
	MaxMessage      = 1 << 20                  // bytes of one message: one full batch and its frame
	MaxMembers      = 24                       // of raft's configuration, learners included: two full sets of controllers, a full set of newcomers, and some being removed
	KeepEntries     = 256                      // certified entries kept for slow followers; who is further behind gets a snapshot mark
	KeepBytes       = 4 << 20                  // bytes of them
	maxEntry        = rooms.MaxBatch + 128<<10 // bytes of one entry: a full batch, its frame and a change of configuration
	maxTermJump     = 1 << 32                  // a member away for years is not further behind; bounds how fast anybody can use up the terms
	maxIndex        = 1 << 62
	signWindow      = 2 * MaxUncertified // heights above the certified head for which early signatures and certificates are kept
	recentCerts     = 64                 // certificates kept for members that missed them
	maxApplying     = 4 << 20            // bytes of committed entries that raft hands out before the earlier ones have been run
	maxUncommitted  = 8 << 20            // bytes of proposals that raft takes before they are committed
	maxInflight     = 64                 // append messages under way to one member
	maxInflightSize = 8 << 20            // bytes of them
)

// Times, in ms of the nowMS that callers pass in.
const (
	signPatience    = 300    // without a certificate after this, a signature goes to all controllers
	maxSignPatience = 5_000  // the delay doubles up to here
	behindPatience  = 1_000  // a wish for catch-up is repeated after this
	holdPatience    = 10_000 // a request that names a directory version which never comes is given back after this
)
