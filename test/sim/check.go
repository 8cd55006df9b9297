package main

import (
	"fmt"
	"slices"

	"warren/rooms"
	"warren/rooms/errs"
)

// check is what must hold when all has come to rest.
func (w *world) check() error {
	nodes := w.honest()
	first := nodes[0]
	for _, n := range nodes {
		if err := w.slander(n); err != nil {
			return err
		}
		if err := w.whole(n); err != nil {
			return err
		}
	}
	for _, n := range nodes[1:] {
		if w.plan.amnesia {
			if n.log.top() > first.log.top() {
				first = n // that no two hold different headers was checked as they came
			}
			continue
		}
		if err := sameLog(n, first); err != nil {
			return err
		}
		if rooms.StateDigest(n.chain.Machine) != rooms.StateDigest(first.chain.Machine) {
			return fmt.Errorf("nodes %d and %d hold different states", n.i, first.i)
		}
	}
	h := &history{chain: w.genesis(), counters: map[rooms.NodeID]uint64{}, times: map[rooms.Hash]int{}}
	if err := h.replay(w, first.log); err != nil {
		return err
	}
	if err := w.kept(first.log); err != nil {
		return err
	}
	if err := w.told(h); err != nil {
		return err
	}
	w.tr.add(w.now, 'e', int(first.log.top()), 0, h.chain.Head[:])
	return nil
}

// history is a log run anew from the genesis, with nothing but rooms' own checks.
type history struct {
	chain    *rooms.Chain
	counters map[rooms.NodeID]uint64
	times    map[rooms.Hash]int // how often each request took effect
	begun    []rooms.Begin
}

func (h *history) replay(w *world, log records) error {
	newest := w.view(w.town.chain.Height)
	for i := range log {
		d := &log[i]
		h.chain.Learn(newest)
		if err := h.chain.Check(d); err != nil {
			return fmt.Errorf("height %d: %w", d.Header.Height, err)
		}
		if _, err := h.chain.Accept(d, w.view(d.Header.Dir), w.verify); err != nil {
			return fmt.Errorf("height %d: %w", d.Header.Height, err)
		}
		for k := range d.Batch.Requests {
			r := &d.Batch.Requests[k]
			if r.Op == rooms.OpBegin {
				if body, err := r.Decode(); err == nil && d.Verdicts.At(k) == errs.OK {
					h.begun = append(h.begun, *body.(*rooms.Begin))
				}
				continue
			}
			if !consumed(r, d, k, h.counters[r.Device]) {
				if k := d.Verdicts.At(k); k != errs.Void && k != errs.Stale {
					return fmt.Errorf("height %d: counter %d of a device took effect after %d", d.Header.Height, r.Counter, h.counters[r.Device])
				}
				continue
			}
			h.counters[r.Device] = r.Counter
			h.times[r.ID()]++
		}
	}
	return h.breaks(w)
}

// breaks checks that the room's own log tells of each epoch that anything was decided in, and tells what the directory has of it.
func (h *history) breaks(w *world) error {
	want := w.town.epochs()
	for i, e := range want {
		if i+1 < len(want) && want[i+1].Start <= e.Start {
			continue // the next one began before anything was decided in it
		}
		if !slices.ContainsFunc(h.begun, func(b rooms.Begin) bool {
			return b.Epoch == e.Epoch && b.By == e.By && b.Of == e.Of && int(b.Silent) == len(e.Silent)
		}) && !w.plan.amnesia {
			return fmt.Errorf("the room's log does not tell that epoch %d began at height %d by %q", e.Epoch, e.Start, e.By)
		}
	}
	if len(h.begun) > len(want) {
		return fmt.Errorf("the log tells of %d epochs, the directory of %d", len(h.begun), len(want))
	}
	return nil
}

// kept checks that everything that anybody ever took for certified is in the log, but for what people left behind: what was above the place from which
// they had the room go on, in an epoch before. That nobody they could reach held such a thing was checked when they did so.
func (w *world) kept(log records) error {
	if w.plan.amnesia {
		return nil
	}
	for i := range log {
		for height := log[i].Low(); height <= log[i].Header.Height; height++ { // that the headers are those was checked
			delete(w.certified, place{log[i].Header.Epoch, height})
		}
	}
	for at := range w.certified {
		if !w.leftBehind(at) {
			return fmt.Errorf("LOST: height %d of epoch %d was certified, and is in no log", at.height, at.epoch)
		}
	}
	return nil
}

// leftBehind reports whether people have the room go on from below a place.
func (w *world) leftBehind(at place) bool {
	return slices.ContainsFunc(w.town.epochs(), func(e rooms.EpochRecord) bool { return e.By != "" && e.Epoch > at.epoch && e.Start < at.height })
}

// told compares the history with what clients were told.
func (w *world) told(h *history) error {
	for _, s := range w.wishes {
		n := 0
		for _, id := range s.all {
			n += h.times[id]
		}
		switch {
		case n > 1:
			return fmt.Errorf("wish %d was ordered %d times", s.what, n)
		case s.done && n == 0 && w.leftBehind(s.at):
			w.st.forgone++
		case s.done && n == 0 && !w.plan.amnesia:
			return fmt.Errorf("wish %d was acknowledged at height %d of epoch %d, and is not there", s.what, s.at.height, s.at.epoch)
		}
	}
	for n, c := range h.chain.Machine.Base().Counters {
		if h.counters[n] != c {
			return fmt.Errorf("the state counts %d requests of a device, the log holds %d", c, h.counters[n])
		}
	}
	return nil
}
