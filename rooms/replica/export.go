package replica

import (
	"context"
	"errors"
	"fmt"
	"io"

	"warren/rooms"
	"warren/rooms/archive"
	"warren/rooms/errs"
)

// exportStep is how many decisions are read from disk at once for a file: with the largest batches there are, they are 8 MiB.
const exportStep = 16

// Export writes an archive of the room to w: what this node holds of it now. It reads the disk, and needs no running copy: a host that was never
// started can do it too. What a room has let go is in no archive: then it begins with a state that the controllers signed. Errors: errs.NotFound when the
// directory has no such room, errs.Closed when the room comes to its end meanwhile, and those of the disk, of w and of ctx.
func (h *Host) Export(ctx context.Context, id rooms.RoomID, w io.Writer) error {
	defer h.keeping.keep(id)()
	rec, err := h.record(id)
	if err != nil {
		return err
	}
	from := start{}
	if from.at, from.snapshot, err = h.provable(id); err != nil { // before the head is looked at, which may move on
		return err
	}
	chain, err := h.standing(id)
	if err != nil {
		return err
	}
	log, err := h.loadGap(id)
	if err != nil {
		return err
	}
	switch {
	case log.Gap != nil:
		return fmt.Errorf("this node is still fetching the room's history: all below height %d is missing; try later, or at another node", log.lowest())
	case chain.Height == 0:
		return errors.New("this node holds nothing of the room: ask a node that has people in it, or controls it")
	}
	head := archive.Head{Genesis: h.cfg.Genesis, Room: id, Dir: max(chain.Dir, rec.From), Height: chain.Height, Last: chain.Head}
	if log.Floor > 1 {
		if err = h.prove(&from, chain); err != nil {
			return err
		}
		head.Dir, head.Base, head.Past = max(head.Dir, from.dir), from.at, from.at+1-min(from.at+1, log.Floor)
	}
	out, err := archive.NewWriter(w, head)
	if err != nil {
		return err
	}
	if err := h.eachDecision(ctx, h.dir.id, span{1, head.Dir}, false, out.Directory); err != nil {
		return fmt.Errorf("export the directory's log: %w", err)
	}
	if head.Base > 0 {
		if err := out.Start(from.proof, from.snapshot); err != nil {
			return err
		}
		if err := h.eachDecision(ctx, id, span{head.Base + 1 - head.Past, head.Base}, true, out.Past); err != nil {
			return fmt.Errorf("export the room's past: %w", err)
		}
	}
	if err := h.eachDecision(ctx, id, span{head.Base + 1, head.Height}, false, out.Room); err != nil {
		return fmt.Errorf("export the room's log: %w", err)
	}
	return out.End(chain.Snapshot())
}

// start is a state that an archive can begin with.
type start struct {
	at       uint64
	dir      uint64 // height of the directory by whose record of the room the proof holds
	proof    *rooms.Proof
	snapshot []byte
}

// prove shows the state to be certified, by the directory's newest record of the room.
func (h *Host) prove(s *start, chain *rooms.Chain) (err error) {
	var rec rooms.RoomRecord
	h.Directory(func(d *rooms.Directory) { rec, s.dir = d.Rooms[chain.Room], h.dir.chain.Height })
	if s.at > 0 {
		s.proof, err = h.proofAt(chain.Room, s.at, rec.Since, chain.Height, chain.Machine.Base().Since)
	}
	switch {
	case err != nil:
		return err
	case s.proof == nil:
		return errors.New("the room has let go how it began, and its controllers are just being changed: try again in a minute, or at another node")
	}
	return s.proof.Check(&rec)
}

// standing returns the room's chain as this node holds it now, a copy of its own.
func (h *Host) standing(id rooms.RoomID) (*rooms.Chain, error) {
	r := h.Get(id)
	if r == nil {
		return h.open(id)
	}
	r.mu.RLock()
	data := r.chain.Snapshot()
	r.mu.RUnlock()
	return rooms.RestoreChain(data)
}

// eachDecision gives f the encoded decisions of a span of a room's log, upwards or downwards, as they lie on disk.
func (h *Host) eachDecision(ctx context.Context, room rooms.RoomID, s span, down bool, f func([]byte) error) error {
	for s.low <= s.high {
		if err := ctx.Err(); err != nil {
			return err
		}
		list, err := h.cfg.Store.Range(Decisions, roomKey(room, s.low), roomKey(room, s.high+1), exportStep, down)
		if err != nil {
			return err
		}
		for _, e := range list {
			var d rooms.Decision
			if err := rooms.Unmarshal(e.Value, &d); err != nil {
				return err
			}
			at := d.Header.Height
			if down && at != s.high || !down && (d.Low() > s.low || at < s.low) {
				return fmt.Errorf("of the decisions %d to %d, there is %d next on this disk", s.low, s.high, at)
			}
			if err := f(e.Value); err != nil {
				return err
			}
			if down {
				s.high = d.Low() - 1
			} else {
				s.low = at + 1
			}
		}
		if len(list) == 0 {
			return fmt.Errorf("decisions %d to %d are not on this disk any more: %w", s.low, s.high, errs.Closed)
		}
	}
	return nil
}
