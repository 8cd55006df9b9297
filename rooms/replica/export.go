package replica

import (
	"context"
	"encoding/binary"
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
// started can do it too. Errors: errs.NotFound when the directory has no such room, errs.Closed when the room comes to its end meanwhile, and
// those of the disk, of w and of ctx.
func (h *Host) Export(ctx context.Context, id rooms.RoomID, w io.Writer) error {
	rec, err := h.record(id)
	if err != nil {
		return err
	}
	chain, err := h.standing(id)
	if err != nil {
		return err
	}
	if r := h.Get(id); r != nil {
		if low, _ := r.reach(); low > 1 {
			return fmt.Errorf("this node is still fetching the room's history: all below height %d is missing; try later, or at another node", low)
		}
	}
	if chain.Height == 0 {
		return errors.New("this node holds nothing of the room: ask a node that has people in it, or controls it")
	}
	head := archive.Head{Genesis: h.cfg.Genesis, Room: id, Dir: max(chain.Dir, rec.From), Height: chain.Height, Last: chain.Head}
	out, err := archive.NewWriter(w, head)
	if err != nil {
		return err
	}
	if err := h.eachDecision(ctx, h.dir.id, head.Dir, out.Directory); err != nil {
		return fmt.Errorf("export the directory's log: %w", err)
	}
	if err := h.eachDecision(ctx, id, head.Height, out.Room); err != nil {
		return fmt.Errorf("export the room's log: %w", err)
	}
	return out.End(chain.Snapshot())
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

// eachDecision gives f the encoded decisions of a room from height 1 up to and with up, as they lie on disk.
func (h *Host) eachDecision(ctx context.Context, room rooms.RoomID, up uint64, f func([]byte) error) error {
	for next := uint64(1); next <= up; {
		if err := ctx.Err(); err != nil {
			return err
		}
		list, err := h.cfg.Store.Range(Decisions, roomKey(room, next), roomKey(room, up+1), exportStep, false)
		if err != nil {
			return err
		}
		if len(list) == 0 {
			return fmt.Errorf("decision %d is not on this disk any more: %w", next, errs.Closed)
		}
		for _, e := range list {
			if at := binary.BigEndian.Uint64(e.Key[len(e.Key)-8:]); at != next {
				return fmt.Errorf("decision %d is not on this disk", next)
			}
			if err := f(e.Value); err != nil {
				return err
			}
			next++
		}
	}
	return nil
}
