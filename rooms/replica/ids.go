package replica

import (
	"bytes"
	"context"
	"fmt"

	"warren/rooms"
	"warren/rooms/errs"
)

// The index of public ids: for each idSegment heights in a row one record of idEntry bytes an event, in the order of the log:
//
//	first idPrefix bytes of the id ‖ height - first height of the segment, 1 B
//
// The index of a million events is some 5 MB that are read from one end to the other in less time than it takes to find 4,000 places of a tree:
// an entry a key would cost a random write for each message. A record can be made again from the log at any time.
const (
	idSegment = 256
	idPrefix  = 4
	idEntry   = idPrefix + 1
)

// segmentOf is the segment that a height, 1, 2, 3 …, belongs to, firstOf its first height.
func segmentOf(height uint64) uint64 { return (height - 1) / idSegment }
func firstOf(segment uint64) uint64  { return segment*idSegment + 1 }

// Find returns the event with this public id (rooms.Hash.MsgID), as Decision.TalkEvents tells it, however long ago it was. It reads the disk:
// the index, and the decision that it points to; where the index has a gap, the log, and mends it. Errors: errs.NotFound, also for what is no id and for what
// was let go; errs.Busy when it is not in that part of the log that is here already.
func (r *Replica) Find(ctx context.Context, id string) (rooms.Event, error) {
	want, err := rooms.ParseMsgID(id)
	if err != nil {
		return rooms.Event{}, errs.NotFound
	}
	height, _ := r.Head()
	if height == 0 {
		return rooms.Event{}, errs.NotFound
	}
	r.mu.RLock()
	last := segmentOf(r.log.Floor)
	r.mu.RUnlock()
	for segment := segmentOf(height); ctx.Err() == nil; segment-- {
		index, err := r.idIndex(segment, height)
		if err != nil {
			return rooms.Event{}, fmt.Errorf("find a message: %w", err)
		}
		for ; len(index) >= idEntry; index = index[idEntry:] {
			if !bytes.Equal(index[:idPrefix], want[:idPrefix]) {
				continue
			}
			at := firstOf(segment) + uint64(index[idPrefix])
			list, err := r.decisions(at, at)
			if err != nil {
				return rooms.Event{}, fmt.Errorf("find a message: %w", err)
			}
			for i := range list {
				for _, e := range list[i].TalkEvents() {
					if e.ID.MsgID() == id {
						return e, nil
					}
				}
			}
		}
		if segment <= last {
			if _, moved := r.reach(); moved != nil {
				return rooms.Event{}, errs.Busy
			}
			return rooms.Event{}, errs.NotFound
		}
	}
	return rooms.Event{}, ctx.Err()
}

// idIndex returns the record of a segment: from the disk, else made of the log, and kept when the segment is complete. height is the head's.
func (r *Replica) idIndex(segment, height uint64) ([]byte, error) {
	record, err := r.h.cfg.Store.Get(Ids, roomKey(r.id, segment))
	if err != nil || record != nil {
		return record, err
	}
	from := firstOf(segment)
	list, err := r.decisions(from, min(height, from+idSegment-1))
	if err != nil {
		return nil, err
	}
	if record = idRecord(list); rooms.Covers(list) == idSegment {
		r.call(func() { r.h.cfg.Store.WriteLater([]Change{{Table: Ids, Key: roomKey(r.id, segment), Value: record}}) }) // by the loop: never after the room is dropped
	}
	return record, nil
}

// idChanges returns what makes the index of the segment that d ends; d itself need not be on disk.
func (r *Replica) idChanges(d *rooms.Decision) []Change {
	segment := segmentOf(d.Header.Height)
	list, err := r.decisions(firstOf(segment), d.Header.Height-1)
	if err != nil || rooms.Covers(list) != idSegment-1 {
		return nil // Find makes it when it is wanted
	}
	return []Change{{Table: Ids, Key: roomKey(r.id, segment), Value: idRecord(append(list, *d))}}
}

// idRecord makes the record of a segment's decisions. A segment without events has a record too: not nil.
func idRecord(list []rooms.Decision) []byte {
	record := []byte{}
	for i := range list {
		from := firstOf(segmentOf(list[i].Header.Height))
		for _, e := range list[i].TalkEvents() {
			record = append(append(record, e.ID[:idPrefix]...), byte(e.Height-from))
		}
	}
	return record
}
