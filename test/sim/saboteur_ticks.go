package main

import (
	"cmp"
	"slices"

	"warren/rooms"
)

// tickClasses are the dishonest controllers that abuse ticks. What they do shows in rooms that have nothing else to do for a while.
var tickClasses = []class{
	{name: "tick-unasked", steady: true, pace: func(every int64) int64 {
		if every == 0 {
			return 100
		}
		return every
	}, beat: func(l *liar, b *rooms.Batch) {
		if l.n.w.seed&1 == 0 { // all at one time
			l.stood = cmp.Or(l.stood, b.Time)
			b.Time = l.stood
		}
	}},
	{name: "tick-fast", steady: true, ticks: ticking{2, 500, 20_000}, pace: func(every int64) int64 { return every / 8 }},
	{name: "tick-slow", steady: true, ticks: ticking{4, 500, 20_000}, pace: func(every int64) int64 { return every * 10 }},
	{name: "tick-none", steady: true, ticks: ticking{4, 500, 22_000}, pace: func(int64) int64 { return 0 }},
	{name: "tick-time", steady: true, ticks: ticking{5, 500, 20_000}, beat: func(l *liar, b *rooms.Batch) { b.Time += int64(3_600_000 * (1 - 2*(l.n.w.seed&1))) }},
	{name: "tick-carries", steady: true, ticks: ticking{5, 500, 20_000}, beat: func(l *liar, b *rooms.Batch) {
		r := rooms.NewRequest(l.n.w.room, "", "guest0", &rooms.Say{Text: "not what was said"})
		r.Device, r.Epoch = l.victim(), b.Epoch
		r.Counter = l.n.chain.Machine.Base().Counters[r.Device] + 1
		r.Sig = l.noise(64)
		b.Requests = []rooms.Request{r}
	}},
	{name: "pack-wrong", steady: true, ticks: ticking{20, 500, 8_000}, serves: func(l *liar, list []*rooms.Decision) []*rooms.Decision {
		return l.spoiled(list)
	}},
	{name: "pack-own", steady: true, ticks: ticking{20, 500, 8_000}, serves: func(l *liar, list []*rooms.Decision) []*rooms.Decision {
		return l.packed(list)
	}},
}

// pace is the hook for a controller's ticks.
func (l *liar) pace() func(int64) int64 {
	if l == nil {
		return nil
	}
	return l.does.pace
}

// sees is shown each decision that its node accepts, and keeps it whole.
func (l *liar) sees(d *rooms.Decision) {
	if l != nil && l.does.serves != nil {
		l.whole[d.Header.Hash()] = d.Plain()
	}
}

// serves is what it gives of the log instead of what is asked for.
func (l *liar) serves(list []*rooms.Decision) []*rooms.Decision {
	if l == nil || l.does.serves == nil || len(list) == 0 {
		return list
	}
	return l.does.serves(l, list)
}

// spoiled returns a part of the log in which one decision holds ticks that are none, or others, or too few.
func (l *liar) spoiled(list []*rooms.Decision) []*rooms.Decision {
	out := append([]*rooms.Decision(nil), list...)
	k := l.rng.IntN(len(out))
	if made := l.invented(out[k]); made != nil && l.rng.IntN(4) == 0 {
		return append(out[:k], made)
	}
	d := *out[k]
	t := rooms.Ticks{Prev: d.Header.Prev}
	if d.Ticks != nil {
		t = *d.Ticks
	}
	t.List = append([]rooms.Tick(nil), t.List...)
	switch n := len(t.List); l.rng.IntN(7) {
	case 0: // another time
		if n > 0 {
			t.List[l.rng.IntN(n)].Time++
		}
	case 1: // too few
		if n > 0 {
			t.List = t.List[1:]
		}
	case 2: // one that never was
		t.List = append(t.List, rooms.Tick{Time: d.Header.Time, Dir: d.Header.Dir, Payload: rooms.Hash(l.noise(32))})
	case 3: // what was decided below, as if it had been a tick
		if k == 0 {
			return out
		}
		below := &out[k-1].Header
		t = rooms.Ticks{Prev: below.Prev, List: []rooms.Tick{{Time: below.Time, Dir: below.Dir, Payload: below.Payload}}}
		out = append(out[:k-1], out[k:]...)
		k--
	case 4: // none
		t.List = nil
	case 5: // more than lie between two checkpoints
		t.List = make([]rooms.Tick, 2*rooms.CheckpointEvery)
	case 6: // a hole: the ticks that are asked for are left out
		if n == 0 {
			return out
		}
		h, _ := d.HeaderAt(d.Header.Height - 1)
		t = rooms.Ticks{Prev: h.Prev, List: t.List[n-1:]}
	}
	d.Ticks = &t
	out[k] = &d
	return out
}

// invented returns a tick that nobody has certified, with all that is below it packed, and the certificate of that; nil: a tick cannot follow there.
func (l *liar) invented(d *rooms.Decision) *rooms.Decision {
	h := d.Header
	if !d.IsTick() || h.Height%rooms.CheckpointEvery == 0 || (h.Height+1)%rooms.CheckpointEvery == 0 {
		return nil
	}
	b := rooms.Batch{Epoch: h.Epoch, Term: d.Batch.Term, Height: h.Height + 1, Time: h.Time, Dir: h.Dir}
	b.Sign(h.Room, keys[l.n.i])
	t := rooms.Ticks{Prev: h.Prev}
	if d.Ticks != nil {
		t = rooms.Ticks{Prev: d.Ticks.Prev, List: slices.Clone(d.Ticks.List)}
	}
	t.List = append(t.List, rooms.Tick{Time: h.Time, Dir: h.Dir, Payload: h.Payload})
	h.Height, h.Prev, h.Payload = h.Height+1, h.Hash(), b.Hash()
	return &rooms.Decision{Header: h, Batch: b, Verdicts: rooms.Verdicts{}, Cert: d.Cert, Ticks: &t}
}

// packed returns the same part of the log in packs of its own making, each part of which is certified: they overlap, begin below what is asked for, end at ticks
// and leave others whole.
func (l *liar) packed(list []*rooms.Decision) (out []*rooms.Decision) {
	whole := l.unpacked(list)
	for at := 0; at < len(whole); {
		top := at
		for top+1 < len(whole) && packs(whole[top], whole[top+1]) && l.rng.IntN(8) > 0 {
			top++
		}
		low := top
		for low > 0 && packs(whole[low-1], whole[low]) && (low > at || l.rng.IntN(4) > 0) {
			low--
		}
		d := *whole[top]
		if low < top {
			d.Ticks = &rooms.Ticks{Prev: whole[low].Header.Prev}
			for _, t := range whole[low:top] {
				d.Ticks.List = append(d.Ticks.List, rooms.Tick{Time: t.Header.Time, Dir: t.Header.Dir, Payload: t.Header.Payload})
			}
		}
		out, at = append(out, &d), top+1
	}
	return out
}

// packs reports whether a decision may be put, as a tick, into the one that follows it.
func packs(below, d *rooms.Decision) bool {
	return below.IsTick() && below.Header.Height%rooms.CheckpointEvery != 0 && below.Header.Epoch == d.Header.Epoch && below.Header.Hash() == d.Header.Prev
}

// unpacked returns the decisions of a part of the log, and of what lies some way below, whole.
func (l *liar) unpacked(list []*rooms.Decision) (out []*rooms.Decision) {
	last := list[len(list)-1]
	for hash, height := last.Header.Hash(), last.Header.Height; height+20 > list[0].Low(); height-- {
		d := l.whole[hash]
		if d == nil {
			break
		}
		out, hash = append(out, d), d.Header.Prev
	}
	slices.Reverse(out)
	return out
}
