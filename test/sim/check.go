package main

import (
	"bytes"
	"fmt"

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
	}
	for _, n := range nodes[1:] {
		if w.plan.amnesia {
			if len(n.log) > len(first.log) {
				first = n // that no two hold different headers was checked as they came
			}
			continue
		}
		if len(n.log) != len(first.log) {
			return fmt.Errorf("node %d holds %d decisions, node %d %d", n.i, len(n.log), first.i, len(first.log))
		}
		for i := range n.log {
			a, b := &n.log[i], &first.log[i]
			if !bytes.Equal(rooms.Marshal(a.Header), rooms.Marshal(b.Header)) || !bytes.Equal(rooms.Marshal(a.Batch), rooms.Marshal(b.Batch)) ||
				!bytes.Equal(a.Verdicts, b.Verdicts) {
				return fmt.Errorf("nodes %d and %d differ at height %d", n.i, first.i, i+1)
			}
		}
		if rooms.StateDigest(n.chain.Machine) != rooms.StateDigest(first.chain.Machine) {
			return fmt.Errorf("nodes %d and %d hold different states", n.i, first.i)
		}
	}
	// Replay from the genesis, with nothing but rooms' own checks.
	chain := w.genesis()
	counters := map[rooms.NodeID]uint64{}
	times := map[rooms.Hash]int{}
	for i := range first.log {
		d := &first.log[i]
		if err := chain.Check(d); err != nil {
			return fmt.Errorf("height %d: %w", i+1, err)
		}
		if _, err := chain.Accept(d, view{w, d.Header.Dir}, w.verify); err != nil {
			return fmt.Errorf("height %d: %w", i+1, err)
		}
		for k := range d.Batch.Requests {
			r := &d.Batch.Requests[k]
			if !consumed(r, d, k, counters[r.Device]) {
				if k := d.Verdicts.At(k); k != errs.Void && k != errs.Stale {
					return fmt.Errorf("height %d: counter %d of a device took effect after %d", i+1, r.Counter, counters[r.Device])
				}
				continue
			}
			counters[r.Device] = r.Counter
			times[r.ID()]++
		}
	}
	for _, s := range w.wishes {
		n := 0
		for _, id := range s.all {
			n += times[id]
		}
		if n > 1 || s.done && n != 1 && !w.plan.amnesia {
			return fmt.Errorf("wish %d was ordered %d times (acknowledged: %v)", s.what, n, s.done)
		}
	}
	for n, c := range chain.Machine.Base().Counters {
		if counters[n] != c {
			return fmt.Errorf("the state counts %d requests of a device, the log holds %d", c, counters[n])
		}
	}
	w.tr.add(w.now, 'e', len(first.log), 0, chain.Head[:])
	return nil
}
