package bench

import (
	"context"
	"fmt"
	"testing"
	"time"

	"warren/rooms"
	"warren/rooms/replica"
)

// line is about as long as people's lines are.
func line() *rooms.Say {
	return &rooms.Say{Text: "a line of talk, about as long as people's lines are"}
}

// The ways of a wish. At a backup's node: the wish to the leader, the entry to the backups, its sync, their acknowledgement, the word that
// it is committed, the sync of the promise, the signature, the certificate. The last of these reaches another backup's node in the same way,
// and other members with one delay more.
func wayFrom(controllers int, atLeader, toMember bool) path {
	p := path{syncs: 1}
	if controllers > 1 {
		p = path{delays: 5, syncs: 2}
	}
	if !atLeader {
		p.delays++
	}
	if toMember {
		p.delays++
	}
	return p
}

// BenchmarkOneByOne is the time from a client's wish at one node to its event at another node: signed, ordered, durable on a quorum,
// certified, applied. One wish is under way at a time.
func BenchmarkOneByOne(b *testing.B) {
	for _, bench := range []struct {
		controllers int
		at, to      int // seats: 0 leads, the controllers follow, the last is a member only
		name        string
	}{
		{1, 0, 1, "leader-to-member"},
		{3, 1, 2, "backup-to-backup"},
		{4, 0, 1, "leader-to-backup"},
		{4, 1, 2, "backup-to-backup"},
		{4, 1, 4, "backup-to-member"},
		{4, 4, 1, "member-to-backup"},
		{7, 1, 2, "backup-to-backup"},
	} {
		b.Run(fmt.Sprintf("%d-controllers/%s", bench.controllers, bench.name), func(b *testing.B) {
			w := newNetwork(b, bench.controllers+1)
			list := w.room(b, "bench", bench.controllers, bench.controllers+1)
			from, to := list[bench.at], list[bench.to]
			floor := wayFrom(bench.controllers, bench.at == 0, bench.to == bench.controllers).floor(measureFloors(b))
			round := time.Duration(0)
			if bench.controllers > 1 {
				round = bareRound(b, bench.controllers, rooms.Quorum(bench.controllers))
			}
			got := make(chan time.Time, 1)
			defer to.r.Watch(func(ev *rooms.Event, _ any) {
				if ev.Op == rooms.OpSay { // people may still be coming in
					got <- time.Now()
				}
			})()
			times := make([]time.Duration, 0, 4096)
			m := w.meter()
			for b.Loop() {
				begin := time.Now()
				if _, err := from.r.Ask(context.Background(), "", from.nick, line()); err != nil {
					b.Fatal(err)
				}
				times = append(times, (<-got).Sub(begin))
			}
			m.stop(b, len(times))
			latency(b, times, floor)
			if round > 0 {
				b.ReportMetric(float64(round.Microseconds())/1000, "round-ms")
				b.ReportMetric(float64(times[len(times)/2])/float64(round), "x-round")
			}
		})
	}
}

// BenchmarkTogether keeps many wishes under way: at the first controllers' nodes, as many at each as a node sends ahead.
func BenchmarkTogether(b *testing.B) {
	const ahead = 128
	for _, controllers := range []int{1, 3, 4, 7} {
		b.Run(fmt.Sprintf("%d-controllers", controllers), func(b *testing.B) {
			w := newNetwork(b, controllers)
			all := w.room(b, "bench", controllers, controllers)
			slots := make(chan struct{}, ahead*len(all))
			failed := make(chan error, cap(slots))
			times := make(chan time.Duration, 1<<20)
			say := line()
			m := w.meter()
			count := 0
			for b.Loop() {
				slots <- struct{}{}
				s := all[count%len(all)]
				count++
				begin := time.Now()
				s.r.Submit("", s.nick, say, nil, func(o replica.Outcome) {
					if o.Err != nil {
						failed <- o.Err
					}
					select {
					case times <- time.Since(begin):
					default:
					}
					<-slots
				})
			}
			for range cap(slots) {
				slots <- struct{}{} // all are done
			}
			m.stop(b, count)
			select {
			case err := <-failed:
				b.Fatal(err)
			default:
			}
			close(times)
			var list []time.Duration
			for t := range times {
				list = append(list, t)
			}
			latency(b, list, 0)
		})
	}
}
