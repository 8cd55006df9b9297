package replica

import (
	"context"
	"crypto/ed25519"
	"encoding/binary"
	"errors"
	"fmt"
	"math"

	"warren/rooms"
)

// Rescue has the directory begin anew at this node, by the network's recovery key, from the highest certified state that is to be had. It blocks until
// the directory goes on here, or ctx ends.
func (h *Host) Rescue(ctx context.Context, recovery ed25519.PrivateKey) (Recovered, error) {
	var out Recovered
	if rooms.NodeOf(recovery.Public().(ed25519.PublicKey)) != h.cfg.Genesis.Recovery {
		return out, errors.New("this is not the network's recovery key")
	}
	r := h.dir
	h.fetch(ctx, r, "")
	s, err := r.survey()
	switch {
	case err != nil:
		return out, err
	case !s.Frozen:
		return out, ErrNotFrozen
	}
	var rescue rooms.Rescue
	if err := r.do(func() {
		rescue = rooms.Rescue{Epoch: r.chain.Epoch + 1, Start: r.chain.Height, Head: r.chain.Head, Controllers: []rooms.NodeID{h.self}}
		rescue.Sign(r.id, recovery)
		r.rescued(&rescue)
	}); err != nil {
		return out, err
	}
	out = Recovered{Epoch: rescue.Epoch, Start: rescue.Start, Of: len(s.Controllers), Silent: s.Silent}
	return out, r.awaitEpoch(ctx, rescue.Epoch, rescue.Start)
}

// rescueKey is where the rescue of the directory that began an epoch lies, in the table Held. They sort by the epoch.
func rescueKey(directory rooms.RoomID, epoch uint64) []byte {
	return binary.BigEndian.AppendUint64(append(directory[:], "rescue"...), epoch)
}

// openDirectory reads the directory from the disk, in its newest epoch.
func (h *Host) openDirectory() (*rooms.Chain, error) {
	id := h.cfg.Genesis.Directory()
	return h.toEpoch(id, func() (*rooms.Chain, error) {
		chain, err := h.loadChain(id, func() rooms.Machine { return rooms.NewDirectory(h.cfg.Genesis) })
		if err != nil {
			return nil, err
		}
		list, err := h.cfg.Store.Range(Held, rescueKey(id, chain.Epoch+1), rescueKey(id, math.MaxUint64), rooms.MaxEpochs, false)
		if err != nil {
			return nil, err
		}
		for _, e := range list {
			var rescue rooms.Rescue
			if rooms.Unmarshal(e.Value, &rescue) == nil {
				chain.LearnRescue(&rescue)
			}
		}
		return chain, nil
	})
}

// rescued takes a rescue of the directory, from this node's operator or from another node. It is on disk before anything follows from it.
func (r *Replica) rescued(rescue *rooms.Rescue) {
	if !r.directory || rescue.Epoch <= r.chain.Epoch || !rescue.OK(&r.h.cfg.Genesis) || r.broken != nil {
		return
	}
	for _, e := range r.chain.Ahead() {
		if e.Epoch == rescue.Epoch {
			return
		}
	}
	if err := r.h.cfg.Store.Write([]Change{{Table: Held, Key: rescueKey(r.id, rescue.Epoch), Value: rooms.Marshal(rescue)}}); err != nil {
		r.fail(fmt.Errorf("write to the disk: %w", err))
		return
	}
	r.mu.Lock()
	turned := r.chain.LearnRescue(rescue)
	r.mu.Unlock()
	r.followEpoch(turned)
	r.tellRescue(r.h.up()...)
}

// tellRescue tells nodes of all epochs of the directory after its first, ascending: they may have lived on in an older one, and have slept through some.
func (r *Replica) tellRescue(to ...rooms.NodeID) {
	d, ok := r.chain.Machine.(*rooms.Directory)
	if !ok {
		return
	}
	for i := range d.Rescues {
		data := rooms.Marshal(d.Rescues[i])
		for _, n := range to {
			r.tell(n, frameRescue, data)
		}
	}
}
