package xmpp

import (
	"slices"

	"mellium.im/xmpp/jid"

	"warren/bridge"
	"warren/rooms"
)

// Subscriptions need no protocol between nodes: a request or an answer is an ordered message of the conversation of the two, that holds
//
//	<sub xmlns='urn:warren:roster:0' type='subscribe'/>
//
// and how the two stand is a fold over these, the same on every node to which one of them connects. A node keeps the fold and how far it
// got; a request made while somebody was offline is folded in at the next login.

// contactPresence is presence to a person: a subscription, or presence for one alone.
func (c *conn) contactPresence(e *element, to jid.JID) {
	t := e.attr("type")
	switch t {
	case "subscribe", "subscribed", "unsubscribe", "unsubscribed":
		peer := nickOf(to)
		if peer == c.account {
			return
		}
		if rooms.Fold(peer) == bridge.BotNick || !c.srv.hasAccount(peer) {
			if t == "subscribe" {
				c.send(el(nsClient, "presence", at("type", "unsubscribed"), at("from", to.Bare().String()), at("to", c.full)))
			}
			return
		}
		c.tellSubscription(e, peer, t)
	}
}

func (s *Server) hasAccount(name string) (ok bool) {
	s.hub.World().Directory(func(d *rooms.Directory) { ok = d.Now().HasAccount(name) })
	return ok
}

func (c *conn) tellSubscription(e *element, peer, kind string) {
	sub := el(nsSub, "sub", at("type", kind))
	if e != nil {
		if status := e.childText(nsClient, "status"); status != "" {
			sub.with(clip(status, maxName))
		}
	} else {
		e = el(nsClient, "presence", at("type", kind), at("to", c.srv.bare(peer)), at("from", c.full))
	}
	c.tell(e, peer, rooms.Say{Kind: rooms.Signal, Ext: sub.bytes()})
}

// subOf returns the request or answer that a message holds, or nil.
func subOf(ev *rooms.Event) *element {
	say, ok := ev.Body.(*rooms.Say)
	if !ok || say.Kind != rooms.Signal {
		return nil
	}
	for _, k := range parseFragment(say.Ext) {
		if k.is(nsSub, "sub") {
			return k
		}
	}
	return nil
}

// subscriptionEvent reports whether a message is a request or an answer, and has it folded in: from the conversation's history, so that it
// comes after all that was before it.
func (c *conn) subscriptionEvent(d bridge.Delivery) bool {
	if subOf(d.Event) == nil {
		return false
	}
	if peer := d.Peer.Account; peer != "" {
		c.later("contacts", func() { c.catchUpWith(peer) })
	}
	return true
}

// fold takes one request or answer into the book of account; mine: account sent it. Every client of the account at this node
// does so: the first one counts.
func (s *Server) fold(account, peer string, mine bool, sub *element, seq uint64) {
	kind := sub.attr("type")
	var was, now contact
	fresh := false
	s.books.change(account, func(b *book) bool {
		was = b.Contacts[peer]
		if seq <= was.Seq || len(b.Contacts) >= maxContacts && was.Seq == 0 && !was.Listed {
			return false
		}
		now, fresh = was.after(mine, kind), true
		now.Seq = seq
		b.Contacts[peer] = now
		return true
	})
	if !fresh {
		return
	}
	if was.shown() != now.shown() || was.subscription() != now.subscription() || was.Ask != now.Ask {
		s.push(account, peer)
	}
	if !mine {
		s.tellAsked(account, peer, kind, sub.text(), was, now)
	}
	if was.To != now.To {
		s.showPeer(account, peer)
	}
}

// after is how a contact stands after one more request or answer (RFC 6121 §3 and appendix A).
func (k contact) after(mine bool, kind string) contact {
	if mine {
		switch kind {
		case "subscribe":
			k.Ask, k.Listed = !k.To, true
		case "unsubscribe":
			k.To, k.Ask = false, false
		case "subscribed":
			k.From, k.Asked = k.From || k.Asked, false
			k.Listed = k.Listed || k.From
		case "removed":
			k.Listed = false
		case "unsubscribed":
			k.From, k.Asked = false, false
		}
		return k
	}
	switch kind {
	case "subscribe":
		k.Asked = !k.From
	case "unsubscribe":
		k.From, k.Asked = false, false
	case "subscribed":
		k.To, k.Ask = k.To || k.Ask, false
	case "unsubscribed":
		k.To, k.Ask = false, false
	}
	return k
}

// tellAsked shows a request or answer to the account's clients.
func (s *Server) tellAsked(account, peer, kind, status string, was, now contact) {
	tell := false
	switch kind {
	case "subscribe":
		tell = now.Asked && !was.Asked
	case "unsubscribe":
		tell = was.From || was.Asked
	case "subscribed":
		tell = was.Ask
	case "unsubscribed":
		tell = was.To || was.Ask
	}
	if !tell {
		return
	}
	for _, o := range s.resources(account) {
		if o.available() {
			o.sendSubscription(peer, kind, status)
		}
	}
}

func (c *conn) sendSubscription(peer, kind, status string) {
	p := el(nsClient, "presence", at("type", kind), at("from", c.srv.bare(peer)), at("to", c.bare))
	if status != "" {
		p.with(el(nsClient, "status", status))
	}
	c.send(p)
}

// conversations returns the accounts with which the client's account has a conversation, sorted.
func (c *conn) conversations() []string {
	var peers []string
	c.srv.hub.World().Directory(func(d *rooms.Directory) {
		for _, r := range d.Rooms {
			if !r.Direct() || len(r.Members) != 2 {
				continue
			}
			for i, m := range r.Members {
				if o := r.Members[1-i]; string(m) == c.account && o.IsAccount() && o != m {
					peers = append(peers, string(o))
				}
			}
		}
	})
	slices.Sort(peers)
	return peers
}

// catchUp folds in what was said while no client of the account was connected here, conversation by conversation.
func (c *conn) catchUp() {
	for _, peer := range c.conversations() {
		c.catchUpWith(peer)
	}
}

func (c *conn) catchUpWith(peer string) {
	k, _ := c.srv.books.contact(c.account, peer)
	q := bridge.HistoryQuery{AfterSeq: k.Seq, Limit: bridge.MaxHistory, Ops: []rooms.Op{rooms.OpSay}}
	for c.ctx.Err() == nil {
		ctx, cancel := c.op()
		evs, err := c.sess.DirectHistory(ctx, peer, q)
		cancel()
		if err != nil || len(evs) == 0 {
			return
		}
		for i := range evs {
			if sub := subOf(&evs[i]); sub != nil {
				c.srv.fold(c.account, peer, evs[i].Account == c.account, sub, evs[i].Seq)
			}
		}
		q.AfterSeq = evs[len(evs)-1].Seq
		c.srv.foldedUpTo(c.account, peer, q.AfterSeq)
		if len(evs) < bridge.MaxHistory {
			return
		}
	}
}

// foldedUpTo notes how far a conversation has been read.
func (s *Server) foldedUpTo(account, peer string, seq uint64) {
	s.books.change(account, func(b *book) bool {
		k := b.Contacts[peer]
		if seq <= k.Seq || len(b.Contacts) >= maxContacts && k.Seq == 0 && !k.Listed {
			return false
		}
		k.Seq = seq
		b.Contacts[peer] = k
		return true
	})
}
