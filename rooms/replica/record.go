package replica

import (
	"encoding/binary"
	"fmt"

	"warren/rooms"
	"warren/rooms/order"
)

// Kinds of records in the Raft table: room ‖ kind ‖ index BE.
const (
	kindBorn     = 0
	kindEntry    = 1
	kindHard     = 2
	kindSnapshot = 3
	kindSigned   = 4
	kindEnd      = 5
)

func raftKey(room rooms.RoomID, kind byte, index uint64) []byte {
	return binary.BigEndian.AppendUint64(append(append(make([]byte, 0, 41), room[:]...), kind), index)
}

// recordChanges turns a controller's record into steps of a write that add up to what order.Restored.Apply does.
func recordChanges(room rooms.RoomID, rec *order.Record) []Change {
	value := rec.Encode()
	put := func(kind byte, index uint64) Change {
		return Change{Table: Raft, Key: raftKey(room, kind, index), Value: value}
	}
	switch {
	case rec.Born != nil:
		return []Change{{Table: Raft, Key: raftKey(room, kindEntry, 0), To: raftKey(room, kindSigned, 0)}, put(kindBorn, 0)}
	case rec.Snapshot != nil:
		to := raftKey(room, kindEntry, rec.Snapshot.Index+1)
		if rec.Snapshot.Reset {
			to = raftKey(room, kindHard, 0)
		}
		return []Change{{Table: Raft, Key: raftKey(room, kindEntry, 0), To: to}, put(kindSnapshot, 0)}
	case rec.Entry != nil:
		return []Change{
			{Table: Raft, Key: raftKey(room, kindEntry, rec.Entry.Index+1), To: raftKey(room, kindHard, 0)}, put(kindEntry, rec.Entry.Index),
		}
	case rec.Hard != nil:
		return []Change{put(kindHard, 0)}
	case rec.Signed != nil:
		return []Change{put(kindSigned, rec.Signed.Height)}
	}
	return nil
}

// dropSigned deletes the promises up to a height that is certified: nothing will be signed there again.
func dropSigned(room rooms.RoomID, height uint64) []Change {
	return []Change{{Table: Raft, Key: raftKey(room, kindSigned, 0), To: raftKey(room, kindSigned, height+1)}}
}

// restored reads what this node stored as a controller of the room.
func (r *Replica) restored() (*order.Restored, error) {
	out := &order.Restored{}
	for _, kind := range []byte{kindSigned, kindBorn, kindSnapshot, kindHard, kindEntry} {
		from := raftKey(r.id, kind, 0)
		for {
			list, err := r.h.cfg.Store.Range(Raft, from, raftKey(r.id, kind+1, 0), pullCount, false)
			if err != nil {
				return nil, err
			}
			for _, e := range list {
				var rec order.Record
				if err := rooms.Unmarshal(e.Value, &rec); err != nil {
					return nil, fmt.Errorf("controller's record on disk: %w", err)
				}
				out.Apply(&rec)
			}
			if len(list) < pullCount {
				break
			}
			from = append(list[len(list)-1].Key, 0)
		}
	}
	return out, nil
}
