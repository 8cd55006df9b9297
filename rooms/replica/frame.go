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
		if len(f.Data) > rooms.MaxRequest || r.putAside(f) {
			return
		}
		if req, ok := decode[rooms.Request](f.Data); ok {
			r.submitFrom(f.from, &req, f.Data)
		}
	case frameAnswer:
		if a, ok := decode[answer](f.Data); ok {
			r.answered(f.from, a)
		}
	case framePush:
		if f.from != r.source && !slices.Contains(r.orderers(), f.from) {
			return // nobody else was asked
		}
		if d, ok := decode[rooms.Decision](f.Data); ok {
			r.heardFrom(f.from, now)
			r.offer(&d, f.from, len(f.Data))
		}
	case frameSubscribe:
		if len(f.Data) > maxQuestion {
			return
		}
		if s, ok := decode[subscribe](f.Data); ok {
			r.subscribed(f.from, s, now)
		}
	case frameRefer:
		if ref, ok := decode[refer](f.Data); ok {
			r.referred(f.from, ref, now)
		}
	case frameHead:
		if hd, ok := decode[head](f.Data); ok {
			r.headFrom(f.from, hd)
		}
	case frameAskHead:
		if len(f.Data) > maxQuestion || r.putAside(f) {
			return
		}
		if a, ok := decode[askHead](f.Data); ok {
			r.askedHeadBy(f.from, a)
		}
	case frameRecruit:
		r.wakeUp()
		r.recruited(f.from, now)
	case frameConsent:
		if c, ok := decode[consent](f.Data); ok {
			r.consented(f.from, c)
		}
	case frameAsk:
		if a, ok := decode[ask](f.Data); ok {
			if e, ok := r.judge(f.from, a); ok {
				r.tell(f.from, frameEndorse, rooms.Marshal(e))
			}
		}
	case frameEndorse:
		if e, ok := decode[endorse](f.Data); ok && e.E.Node == f.from {
			r.endorsed(e)
		}
	case frameAskState:
		if a, ok := decode[askState](f.Data); ok {
			r.askedToState(f.from, a)
		}
	case frameStatement:
		if s, ok := decode[rooms.Statement](f.Data); ok {
			r.stated(f.from, s)
		}
	case frameRescue:
		if rescue, ok := decode[rooms.Rescue](f.Data); ok {
			r.rescued(&rescue)
		}
	case frameSignal:
		r.signalled(f.from, f.Data)
	case frameProvisional:
		if len(f.Data) > rooms.MaxRequest {
			return
		}
		if req, ok := decode[rooms.Request](f.Data); ok {
			r.heardSay(&req)
		}
	}
}

// decode reads what a frame carries; false: that is not well-formed.
func decode[T any](data []byte) (v T, ok bool) {
	ok = rooms.Unmarshal(data, &v) == nil
	return v, ok
}

// tell sends a frame of this room to another node. It never blocks; false: the frame is lost.
func (r *Replica) tell(to rooms.NodeID, kind uint8, data []byte) bool {
	return r.h.cfg.Net.Send(to, encodeFrame(r.id, kind, data))
}
