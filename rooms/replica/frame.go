package replica

import (
	"slices"
	"time"

	"warren/rooms"
)

// frame takes one frame from another node.
func (r *Replica) frame(f inFrame) {
	now := time.Now()
	switch f.Kind {
	case frameOrder:
		if r.ctl != nil {
			r.stirred(f.from, now)
			if err := r.ctl.Step(now.UnixMilli(), f.from, f.Data); err != nil {
				r.h.log.Debug("an order message was refused", "room", r.id.Short(), "from", f.from.Short(), "err", err)
			}
		}
	case frameSubmit:
		var req rooms.Request
		if !r.putAside(f) && len(f.Data) <= rooms.MaxRequest && rooms.Unmarshal(f.Data, &req) == nil {
			r.submitFrom(f.from, &req, f.Data)
		}
	case frameAnswer:
		var a answer
		if rooms.Unmarshal(f.Data, &a) == nil {
			r.answered(f.from, a)
		}
	case framePush:
		var d rooms.Decision
		if f.from != r.source && !slices.Contains(r.orderers(), f.from) {
			return // nobody else was asked
		}
		if rooms.Unmarshal(f.Data, &d) == nil {
			r.heardFrom(f.from, now)
			r.offer(&d, f.from, len(f.Data))
		}
	case frameSubscribe:
		var s subscribe
		if rooms.Unmarshal(f.Data, &s) == nil {
			r.subscribed(f.from, s, now)
		}
	case frameRefer:
		var ref refer
		if rooms.Unmarshal(f.Data, &ref) == nil {
			r.referred(f.from, ref, now)
		}
	case frameHead:
		var hd head
		if rooms.Unmarshal(f.Data, &hd) == nil {
			r.headFrom(f.from, hd)
		}
	case frameAskHead:
		var a askHead
		if !r.putAside(f) && rooms.Unmarshal(f.Data, &a) == nil {
			r.sendHead(f.from, a.Nonce, r.mayRead(f.from, a.For))
		}
	case frameRecruit:
		r.wakeUp()
		r.recruited(f.from, now)
	case frameConsent:
		var c consent
		if rooms.Unmarshal(f.Data, &c) == nil {
			r.consented(f.from, c)
		}
	case frameAsk:
		var a ask
		if rooms.Unmarshal(f.Data, &a) == nil {
			if e, ok := r.judge(f.from, a); ok {
				r.tell(f.from, frameEndorse, rooms.Marshal(e))
			}
		}
	case frameEndorse:
		var e endorse
		if rooms.Unmarshal(f.Data, &e) == nil && e.E.Node == f.from {
			r.endorsed(e)
		}
	case frameAskState:
		var a askState
		if rooms.Unmarshal(f.Data, &a) == nil {
			r.askedToState(f.from, a)
		}
	case frameStatement:
		var s rooms.Statement
		if rooms.Unmarshal(f.Data, &s) == nil {
			r.stated(f.from, s)
		}
	case frameRescue:
		var rescue rooms.Rescue
		if rooms.Unmarshal(f.Data, &rescue) == nil {
			r.rescued(&rescue)
		}
	case frameSignal:
		r.signalled(f.from, f.Data)
	case frameProvisional:
		var req rooms.Request
		if len(f.Data) <= rooms.MaxRequest && rooms.Unmarshal(f.Data, &req) == nil {
			r.heardSay(&req)
		}
	}
}

func (r *Replica) tell(to rooms.NodeID, kind uint8, data []byte) bool {
	return r.h.cfg.Net.Send(to, rooms.Marshal(frame{Room: r.id, Kind: kind, Data: data}))
}
