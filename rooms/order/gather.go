package order

import "warren/rooms"

// When the leader proposes. A batch costs every controller two syncs, signatures and messages, however many requests it holds, so a room in which
// much is said must not make one of each request: it would take the processors from all other rooms. What comes while nothing is under way is
// proposed at once, so a lone request never waits. What comes while something is under way is gathered until that is certified, or there is much
// of it, or the oldest has waited for half of what a round lately took. So the number of batches under way follows the links: one or two where a
// round is short, and as many as half rounds fit where it is long.

// gatherAtMost is how many requests are worth a batch of their own, whatever is under way: beyond that the fixed costs are spread thin.
const gatherAtMost = rooms.MaxRequests / 4

// maxGather is the longest that a request waits for what is under way, in ms: nobody notices it, and twenty batches a second are what every node bears.
// Over links of 150 ms half a round would be a third of a second.
const maxGather = 50

// rounds is what the leader's batches lately took from proposal to certificate.
type rounds struct {
	sum int64 // 8 times the moving average, in ms
}

// took adds one. As with TCP's round trips (RFC 6298) the newest counts an eighth.
func (r *rounds) took(ms int64) {
	if r.sum == 0 {
		r.sum = 8 * ms
		return
	}
	r.sum += ms - r.sum/8
}

// half is half a round, in ms, at most maxGather.
func (r *rounds) half() int64 { return min(r.sum/16, maxGather) }

// due reports whether what waits is to be proposed now.
func (c *Controller) due() bool {
	switch {
	case len(c.queue) == 0:
		return false
	case len(c.proposed)+len(c.open) == 0, len(c.queue) >= gatherAtMost, c.qBytes >= rooms.MaxBatch:
		return true
	}
	return c.now-c.queue[0].at > c.rounds.half()
}
