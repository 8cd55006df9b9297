package order

import (
	"encoding/binary"

	"warren/rooms"
)

// CertOf encodes a certificate message.
func CertOf(height uint64, header rooms.Hash, cert rooms.Certificate) []byte {
	return rooms.Marshal(&envelope{Version: version, Cert: &certMessage{Height: height, Header: header, Cert: cert}})
}

// KindOf names the part that a message holds.
func KindOf(data []byte) string {
	var e envelope
	if rooms.Unmarshal(data, &e) != nil {
		return "garbage"
	}
	switch {
	case e.Raft != nil:
		return "raft"
	case e.Sign != nil:
		return "sign"
	case e.Cert != nil:
		return "cert"
	case e.Ask != nil:
		return "ask"
	case e.Accuse != nil:
		return "accuse"
	}
	return "other"
}

// Forge makes a well-formed envelope with fields out of fuzz.
func Forge(fuzz []byte) []byte {
	num := func() uint64 {
		var b [8]byte
		n := copy(b[:], fuzz)
		fuzz = fuzz[n:]
		v := binary.LittleEndian.Uint64(b[:])
		if v&3 != 0 { // mostly small numbers, near what is real
			v = v >> 2 & 63
		}
		return v
	}
	var life uint64
	if num()%8 == 0 {
		life = num()
	}
	conf := func() (c Conf) {
		for _, list := range []*[]Member{&c.Voters, &c.Learners, &c.Outgoing, &c.LearnersNext} {
			for range num() % 3 {
				*list = append(*list, Member{Node: rooms.NodeID{byte(num())}, Incarnation: num()})
			}
			if num()%2 == 0 {
				sortMembers(*list)
			}
		}
		return c
	}
	e := envelope{Version: version}
	switch num() % 10 {
	case 0:
		e.Sign = &signMessage{Height: num(), Sig: fuzz[:min(len(fuzz), 64)], Again: num()%2 == 0}
	case 1:
		e.Cert = &certMessage{Height: num(), Cert: rooms.Certificate{{Node: rooms.NodeID{byte(num())}, Sig: fuzz[:min(len(fuzz), 64)]}}}
	case 2:
		e.Ask = &askMessage{Height: num()}
	case 3:
		e.Head = &headMessage{Height: num()}
	case 4:
		e.Hello = &helloMessage{Incarnation: num()}
	case 5:
		e.Bye = &byeMessage{Incarnation: num()}
	case 6:
		e.Commit = &commitMessage{Index: num(), Term: num()}
	default:
		r := &raftMessage{
			Type: uint8(num() % 26), To: life, From: life, Term: num(), LogTerm: num(), Index: num(), Commit: num(), Reject: num()%4 == 0,
			RejectHint: num(), Force: num()%8 == 0,
		}
		index, term := r.Index, r.LogTerm
		for range num() % 4 {
			if index++; num()%16 == 0 {
				index = num()
			}
			term = max(term, min(num(), r.Term))
			r.Entries = append(r.Entries, Entry{Index: index, Term: term, Type: uint8(num() % 2 * 2), Data: fuzz[:min(len(fuzz), int(num()%40))]})
		}
		if num()%5 == 0 {
			r.Type = 7
			r.Snapshot = &Snapshot{Index: num(), Term: num(), Height: num(), Conf: conf()}
		}
		e.Raft = r
	}
	return rooms.Marshal(&e)
}

// Held returns how many things of others the controller keeps in memory.
func (c *Controller) Held() int {
	n := len(c.known) + len(c.hellos) + len(c.recent) + len(c.open) + len(c.outbox)
	for _, at := range c.early {
		n += len(at)
	}
	return n
}

// What travels, for tests that alter it.
type (
	Envelope      = envelope
	RaftMessage   = raftMessage
	SignMessage   = signMessage
	CertMessage   = certMessage
	AccuseMessage = accuseMessage
	HelloMessage  = helloMessage
)

// Alter decodes a message, lets f change it, and encodes it again.
func Alter(data []byte, f func(*Envelope)) []byte {
	var e envelope
	if rooms.Unmarshal(data, &e) != nil {
		return data
	}
	f(&e)
	return rooms.Marshal(&e)
}

// Encode encodes a message.
func Encode(e *Envelope) []byte {
	e.Version = version
	return rooms.Marshal(e)
}

// Switches turn off defences of one controller, to see what they are worth.
type Switches struct {
	Misdeeds []Misdeed // not looked for
	Grounds  bool      // forced votes are granted without a reason
	Shun     bool      // who was complained of is voted for and followed
}

// Off turns defences off.
func (c *Controller) Off(s Switches) {
	for _, m := range s.Misdeeds {
		c.blind[m] = true
	}
	c.blindForce, c.blindShun = s.Grounds, s.Shun
}

// MaxGather is the longest that a request waits for what is under way, in ms.
const MaxGather = maxGather

// GatherAtMost is how many requests do not wait for what is under way.
const GatherAtMost = gatherAtMost
