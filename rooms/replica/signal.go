package replica

import (
	"crypto/ed25519"
	"slices"

	"warren/rooms"
)

// multicast is a signal on the room's topic. Topics tell who passed a message on, not who wrote it, so the writer signs.
type multicast struct {
	_    struct{} `cbor:",toarray"`
	Node rooms.NodeID
	Data []byte
	Sig  []byte // Ed25519 by Node over signalDomain ‖ room ‖ data
}

const signalDomain = "warren/signal/1\x00"

func newMulticast(room rooms.RoomID, data []byte, key ed25519.PrivateKey) multicast {
	m := multicast{Node: rooms.NodeOf(key.Public().(ed25519.PublicKey)), Data: data}
	m.Sig = ed25519.Sign(key, m.signed(room))
	return m
}

func (m *multicast) signed(room rooms.RoomID) []byte {
	return slices.Concat([]byte(signalDomain), room[:], m.Data)
}

func (m *multicast) ok(room rooms.RoomID) bool {
	return len(m.Sig) == ed25519.SignatureSize && ed25519.Verify(m.Node.Public(), m.signed(room), m.Sig)
}

// joinTopic joins the room's multicast group while somebody here watches the room.
func (r *Replica) joinTopic() {
	if r.publish != nil || r.directory || r.watchers() == 0 {
		return
	}
	publish, leave, err := r.h.cfg.Net.Join("room/"+r.id.String(), func(from rooms.NodeID, data []byte) {
		var m multicast
		var h hearsay
		switch {
		case rooms.Unmarshal(data, &m) == nil:
			if r.h.inside(m.Node) && m.ok(r.id) {
				r.put(inFrame{m.Node, frame{Room: r.id, Kind: frameSignal, Data: m.Data}})
			}
		case rooms.Unmarshal(data, &h) == nil:
			r.put(inFrame{from, frame{Room: r.id, Kind: frameProvisional, Data: h.Request}})
		}
	})
	if err != nil {
		r.h.log.Warn("the room's topic cannot be joined", "room", r.id.Short(), "err", err)
		return
	}
	r.publish, r.leave = publish, leave
}

// tickTopic keeps to the topic while somebody watches, whatever became of the word that it is so, and leaves it when nobody does: a node
// works well with some hundred topics, not with all the rooms that it controls.
func (r *Replica) tickTopic() {
	switch {
	case r.watchers() > 0:
		r.joinTopic()
	case r.leave != nil:
		r.leave()
		r.publish, r.leave = nil, nil
	}
}

// Signal sends bytes to all nodes with occupants who may read the room, unordered and unreliable: on the topic when everybody may read it anyway, else
// one by one, since every node of the network can join a topic.
func (r *Replica) Signal(data []byte) {
	r.call(func() {
		st, ok := r.chain.Machine.(*rooms.State)
		if !ok || st.Direct() {
			return // nobody is an occupant of a conversation of two
		}
		if open(st) && r.publish != nil {
			r.publish(rooms.Marshal(newMulticast(r.id, data, r.h.cfg.Key)))
			return
		}
		r.tellAudience(st, frameSignal, data)
	})
}

// occupied reports whether somebody is in the room from that node.
func occupied(st *rooms.State, n rooms.NodeID) bool {
	for _, o := range st.Occupants {
		if slices.Contains(o.Nodes, n) {
			return true
		}
	}
	return false
}

// signalled hands a signal on, if the node it comes from has an occupant here.
func (r *Replica) signalled(from rooms.NodeID, data []byte) {
	st, ok := r.chain.Machine.(*rooms.State)
	if !ok || from == r.h.self || !occupied(st, from) {
		return
	}
	for _, f := range r.signals.all() {
		(*f)(from, data)
	}
}

// WatchSignals calls f with the signals of other nodes; f must not block.
func (r *Replica) WatchSignals(f func(from rooms.NodeID, data []byte)) (stop func()) {
	return r.signals.add(f)
}
