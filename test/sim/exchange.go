package main

import (
	"warren/rooms"
	"warren/rooms/order"
)

// How decisions and messages come from one node to another.

// feed tells the controller what the replica knows and it does not.
func (n *node) feed() {
	for n.ctl != nil {
		s := n.ctl.Status()
		if s.Broken != nil || s.Certified >= n.chain.Height {
			return
		}
		if d := rooms.Covering(n.held(), s.Certified+1); d == nil || n.ctl.Certified(d) != nil {
			return
		}
	}
}

// pull asks a node for the decisions above this node's head.
func (n *node) pull(from *node) {
	if from == n || n.pulling {
		return
	}
	n.pulling = true
	life := n.life
	n.w.after(400, func() {
		if n.life == life {
			n.pulling = false
		}
	})
	want := n.chain.Height + 1
	n.w.send(n, from, 8, func() {
		if from.apart { // who is cut off from the directory has its log from others
			dir := from.dir
			n.w.send(from, n, 8, func() { n.reaches(dir) })
		}
		ds := from.serves(want)
		if len(ds) == 0 {
			return
		}
		n.w.send(from, n, 1000, func() {
			n.pulling = false
			taken := 0
			for _, d := range ds {
				if d.Header.Height <= n.chain.Height || d.Low() > n.chain.Height+1 {
					continue
				}
				if !n.accept(from, d) {
					break
				}
				taken++
				if d.Ticks != nil {
					n.w.st.unpacked++
				}
			}
			if taken > 0 {
				n.w.st.catchUps++
			}
			n.feed()
			n.pump()
		})
	})
}

func (n *node) sendAll(ms []order.Message) {
	for _, m := range n.liar.out(ms) {
		to := n.w.byID[m.To]
		if to == nil {
			continue
		}
		n.w.send(n, to, len(m.Data), func() {
			n.w.tr.add(n.w.now, 'm', n.i, to.i, m.Data)
			if to.ctl == nil || to.liar.swallows(n, m.Data) {
				return
			}
			if err := to.ctl.Step(to.clock(), n.id, m.Data); err != nil {
				to.w.tr.say(to.w.now, "node %d refuses a message of node %d: %v", to.i, n.i, err)
			}
			to.feed()
			to.pump()
		})
	}
}
