package replica

import (
	"errors"
	"time"

	"warren/rooms"
	"warren/rooms/errs"
)

// What an import takes of a file that begins with a state: the state itself, when this node's copy is not that far, and the decisions below, which go
// where the copy has a gap and are compared with what it has elsewhere.

// begin takes the state over that the file begins with, if the copy has not come so far.
func (i *importer) begin(data []byte) error {
	at := i.proof.Header.Height
	if have, _ := i.r.Head(); have >= at {
		return nil
	}
	rec, err := i.r.h.record(i.r.id)
	if err != nil {
		return errEndedRoom
	}
	if err := i.proof.Check(&rec); err != nil {
		return errors.Join(errChanged, err)
	}
	chain, err := rooms.RestoreAt(&i.proof.Header, data)
	if err != nil {
		return err
	}
	s := &snapshot{chain: chain, data: data}
	if len(i.proof.Above) == 0 {
		s.cert = i.proof.Cert
	}
	if !i.r.wait(func() {
		if err = i.r.broken; err == nil && i.r.chain.Height < at {
			i.r.lastUse = time.Now()
			i.r.takeOver(s)
		}
	}) {
		return errs.Closed
	}
	return err
}

func (i *importer) addPast(f fetched) error {
	i.past = append(i.past, f)
	if i.bytes += len(f.data); len(i.past) < importChunk && i.bytes < importChunkBytes {
		return nil
	}
	return i.flushPast()
}

// flushPast has the copy take what it lacks of the past, and compares the rest.
func (i *importer) flushPast() error {
	past := i.past
	i.past = nil
	if len(past) == 0 {
		return nil
	}
	i.bytes = 0
	if err := i.ctx.Err(); err != nil {
		return err
	}
	rec, err := i.r.h.record(i.r.id)
	if err != nil {
		return errEndedRoom
	}
	var known []*rooms.Decision
	if !i.r.wait(func() {
		var changes []Change
		before := rooms.Descent{}
		if g := i.r.log.Gap; g != nil {
			before = g.Down
		}
		next := before
		for _, f := range past {
			if next.Height > 0 {
				i.r.rise(&next, f.d)
			}
			if next.Height == 0 || f.d.Header.Height != next.Height {
				known = append([]*rooms.Decision{f.d}, known...)
				continue
			}
			// Who the controllers were is shown by the file itself: it has been checked as a whole.
			if err = next.Take(f.d, func(since uint64) []rooms.NodeID { return i.r.setHere(&rec, since) }); err != nil {
				return
			}
			g := i.r.log.Gap
			f = g.meet(&next, f)
			changes = append(changes, recordOf(i.r.id, f.d, f.data)...)
			if next.Height <= g.Low {
				break
			}
		}
		if len(changes) > 0 {
			i.r.fillIn(changes, before, next)
		}
	}) {
		return errs.Closed
	}
	if err != nil || len(known) == 0 {
		return err
	}
	return i.compareWith(known)
}
