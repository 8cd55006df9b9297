package replica

import (
	"context"
	"encoding/binary"
	"errors"
	"math"

	"warren/rooms"
	"warren/rooms/errs"
)

// ServePull answers another node's wish for decisions. It may block on the disk.
func (h *Host) ServePull(ctx context.Context, from rooms.NodeID, req []byte) ([]byte, error) {
	var q pull
	if err := rooms.Unmarshal(req, &q); err != nil {
		return nil, errs.Invalid
	}
	r, err := h.toServe(from, &q)
	switch {
	case errors.Is(err, errs.Denied):
		return rooms.Marshal(pulled{Denied: true}), nil
	case err != nil:
		return nil, err
	case r == nil:
		return rooms.Marshal(pulled{Unknown: true}), nil
	}
	var may bool
	var height, floor uint64
	if err := r.do(func() { may, height, floor = r.mayRead(from, q.For), r.chain.Height, r.log.Floor }); err != nil {
		return nil, err
	}
	if !may {
		return rooms.Marshal(pulled{Denied: true}), nil
	}
	if q.Want == wantProof || q.Want == wantSnapshot {
		return h.serveState(ctx, r, &q)
	}
	out, err := h.serveLog(&q)
	if err != nil {
		return nil, err
	}
	out.Height, out.Floor = height, floor
	return rooms.Marshal(out), nil
}

// serveLog reads decisions that follow each other, from the one that is wanted first on: none, when it is not here.
func (h *Host) serveLog(q *pull) (out pulled, err error) {
	end := after(q.Room)
	if q.Upto > 0 && q.Upto < math.MaxUint64 {
		end = roomKey(q.Room, q.Upto+1)
	}
	for size, next := 0, q.After+1; len(out.Decisions) < pullCount; {
		list, err := h.cfg.Store.Range(Decisions, roomKey(q.Room, next), end, pullStep, false)
		if err != nil {
			return out, err
		}
		for _, e := range list {
			at := binary.BigEndian.Uint64(e.Key[len(e.Key)-8:])
			if size += len(e.Value); size > pullBytes && len(out.Decisions) > 0 || at != next && !covers(e.Value, next) {
				return out, nil
			}
			out.Decisions = append(out.Decisions, e.Value)
			next = at + 1
		}
		if len(list) < pullStep {
			if q.Upto >= next { // the last ones may be ticks that lie in a decision above
				list, err = h.cfg.Store.Range(Decisions, roomKey(q.Room, next), after(q.Room), 1, false)
				if err == nil && len(list) > 0 && covers(list[0].Value, next) {
					out.Decisions = append(out.Decisions, list[0].Value)
				}
			}
			return out, err
		}
	}
	return out, nil
}

// covers reports whether an encoded decision covers a height.
func covers(data []byte, height uint64) bool {
	d := &rooms.Decision{}
	return rooms.Unmarshal(data, d) == nil && d.Low() <= height && height <= d.Header.Height
}
