package main

import "warren/rooms"

// garbage sends messages of every type, with anything in them, and bytes that are none.
func garbage(l *liar) {
	num := func() uint64 {
		if l.rng.IntN(8) == 0 {
			return l.rng.Uint64()
		}
		return l.rng.Uint64N(80)
	}
	for _, to := range l.n.w.nodes {
		if to == l.n || to.ctl == nil {
			continue
		}
		hash, sig := rooms.Hash(l.noise(32)), l.noise(64)
		mark := rooms.Mark{Room: l.n.w.room, Epoch: 1, Term: num(), Height: num(), Leader: to.id, Requests: hash, Sig: sig}
		e := envelope{Version: 1}
		switch l.rng.IntN(14) {
		case 0:
			l.send(to, l.noise(l.rng.IntN(100)))
			continue
		case 1:
			e.Sign = &signMessage{Height: num(), Header: hash, Sig: sig, Again: l.rng.IntN(2) == 0}
		case 2:
			e.Cert = &certMessage{Height: num(), Header: hash, Cert: rooms.Certificate{{Node: l.n.id, Sig: sig}, {Node: to.id, Sig: sig}}}
		case 3:
			e.Ask = &heightMessage{Height: num()}
		case 4:
			e.Head = &heightMessage{Height: num()}
		case 5:
			e.Hello = &lifeMessage{Incarnation: num(), At: int64(num())}
		case 6:
			e.Bye = &lifeMessage{Incarnation: num(), At: int64(num())}
		case 7:
			e.Commit = &placeMessage{Index: num(), Term: num()}
		case 8:
			r := rooms.NewRequest(l.n.w.room, "", "x", &rooms.Say{Text: "x"})
			r.Device, r.Counter, r.Epoch, r.Sig = to.id, num(), num(), sig
			e.Submit = &r
		case 9:
			e.Accuse = &accuseMessage{Leader: to.id, Misdeed: uint8(num())}
		case 10:
			e.Mark = &markMessage{Mark: mark}
		case 11:
			other := mark
			other.Time++
			e.Proof = &proofMessage{A: mark, B: other}
		case 12:
			e.Yield = &yieldMessage{Term: num(), To: l.n.id}
		default:
			r := &raftMessage{
				Type: uint8(l.rng.IntN(26)), Term: l.terms[to.id] + num()/64, LogTerm: num(), Index: num(), Commit: num(), Reject: l.rng.IntN(2) == 0, RejectHint: num(),
				Force: l.rng.IntN(4) == 0,
			}
			for range l.rng.IntN(3) {
				r.Entries = append(r.Entries, entry{Index: num(), Term: num(), Type: uint8(num()), Data: l.noise(20)})
			}
			if l.rng.IntN(4) == 0 {
				r.Type, r.Entries = msgSnap, nil
				r.Snapshot = &snapshot{Index: num(), Term: num(), Height: num(), Conf: conf{Voters: []member{{Node: to.id, Incarnation: l.lives[to.id]}}}}
			}
			l.raft(to, r)
			continue
		}
		l.send(to, rooms.Marshal(&e))
	}
}
