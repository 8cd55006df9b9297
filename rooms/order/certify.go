package order

import (
	"errors"
	"fmt"
	"slices"

	"warren/rooms"
	"warren/rooms/errs"
)

var errNoView = fmt.Errorf("certified: the directory version it names is not known here yet: %w", errs.Busy)

// step is one height that has been run here and is not certified yet.
type step struct {
	header      rooms.Header
	hash        rooms.Hash
	batch       *rooms.Batch
	verdicts    rooms.Verdicts
	controllers []rooms.NodeID // in force at this height
	after       []rooms.NodeID // in force above it
	sigs        map[rooms.NodeID]rooms.Signature
	cert        rooms.Certificate
	told        bool    // the caller knows the decision already
	items       []*item // requests that were queued here
	next        int64   // when to ask again, ms
	wait        int64
}

// earlySign is a signature, or a certificate, for a height that has not been run here.
type earlySign struct {
	hash rooms.Hash
	sig  []byte
	cert rooms.Certificate
}

// recentCert is a certificate for members that missed it.
type recentCert struct {
	hash rooms.Hash
	cert rooms.Certificate
}

// step returns the open step at a height, or nil.
func (c *Controller) step(height uint64) *step {
	if height <= c.certified || height > c.chain.Height {
		return nil
	}
	return c.open[height-c.certified-1]
}

// sign signs the step's header if this node is among its controllers: once, and never another one at this height.
func (c *Controller) sign(s *step) {
	s.wait, s.next = signPatience, c.now+signPatience
	if !slices.Contains(s.controllers, c.cfg.Self) {
		return
	}
	height := s.header.Height
	if before, ok := c.signed[height]; c.ended && before.Header != s.hash {
		return
	} else if !ok {
		promise := Signed{Epoch: s.header.Epoch, Height: height, Header: s.hash, Change: !slices.Equal(s.controllers, s.after)}
		c.signed[height] = promise
		c.records = append(c.records, Record{Signed: &promise})
	} else if before.Header != s.hash {
		c.fail(fmt.Errorf("%w: this node signed another header at height %d before", ErrDiverged, height))
		return
	}
	sig := rooms.SignHeader(s.hash, c.cfg.Key)
	s.sigs[c.cfg.Self] = sig
	if lead := c.leader(); lead == c.cfg.Self {
		return
	} else if !lead.IsZero() {
		c.send(lead, &envelope{Sign: &signMessage{Height: height, Header: s.hash, Sig: sig.Sig}})
	} else {
		c.sendAll(s.controllers, &envelope{Sign: &signMessage{Height: height, Header: s.hash, Sig: sig.Sig}})
	}
}

// signFor gives a new leader what this node has signed and sent to the one before, and asks it for the certificates.
func (c *Controller) signFor(lead rooms.NodeID) {
	for _, s := range c.open {
		if sig, ok := s.sigs[c.cfg.Self]; ok && s.cert == nil {
			c.send(lead, &envelope{Sign: &signMessage{Height: s.header.Height, Header: s.hash, Sig: sig.Sig, Again: true}})
		}
	}
}

// onSign takes a controller's signature.
func (c *Controller) onSign(from rooms.NodeID, m *signMessage) error {
	switch {
	case len(m.Sig) > 64:
		return blame(Garbage, errors.New("step: a signature of the wrong size"))
	case m.Height <= c.certified:
		c.otherHeader(from, m.Height, m.Header)
		if m.Again {
			c.answer(from, m.Height)
		}
		return nil
	case m.Height <= c.chain.Height:
		s := c.step(m.Height)
		if m.Again {
			defer c.answerWith(from, s)
		}
		if !slices.Contains(s.controllers, from) {
			return errors.New("step: a signature of no controller")
		}
		if m.Header != s.hash {
			if m.Again {
				c.showMark(from, s)
			}
			return fmt.Errorf("step: %s signed another header at height %d", from.Short(), m.Height)
		}
		if err := c.addSignature(s, rooms.Signature{Node: from, Sig: m.Sig}); err != nil {
			return err
		}
		c.settle()
		return nil
	}
	return c.keepEarly(from, m.Height, earlySign{hash: m.Header, sig: m.Sig})
}

// answerWith gives a member that asks for a step's certificate this node's own signature, when there is no certificate yet.
func (c *Controller) answerWith(from rooms.NodeID, s *step) {
	if sig, ok := s.sigs[c.cfg.Self]; ok && s.cert == nil && s.header.Height > c.certified {
		c.send(from, &envelope{Sign: &signMessage{Height: s.header.Height, Header: s.hash, Sig: sig.Sig}})
	} else if s.header.Height <= c.certified {
		c.answer(from, s.header.Height)
	}
}

func (c *Controller) addSignature(s *step, sig rooms.Signature) error {
	if _, have := s.sigs[sig.Node]; have || s.cert != nil {
		return nil
	}
	if !c.cfg.CheckSignature(sig, s.hash) {
		return blame(BadSignature, fmt.Errorf("step: %s sent a signature that does not verify", sig.Node.Short()))
	}
	s.sigs[sig.Node] = sig
	return nil
}

// keepEarly keeps a signature or certificate for a height that is not run yet, one a sender and height.
func (c *Controller) keepEarly(from rooms.NodeID, height uint64, e earlySign) error {
	if height > c.certified+signWindow {
		c.wantCatchUp(height-1, from)
		return nil
	}
	at := c.early[height]
	if at == nil {
		at = map[rooms.NodeID]earlySign{}
		c.early[height] = at
	}
	if old, have := at[from]; have && old.cert != nil && e.cert == nil {
		return nil
	}
	if _, have := at[from]; !have && len(at) >= MaxMembers+rooms.MaxControllers {
		return errors.New("step: too many senders of signatures")
	}
	at[from] = e
	if e.cert != nil && height > c.certified+1 {
		c.noteBehind(height, from)
	}
	return nil
}

// takeEarly adds what came for a step before it was run.
func (c *Controller) takeEarly(s *step) {
	at := c.early[s.header.Height]
	delete(c.early, s.header.Height)
	for _, from := range sortedNodes(at) {
		e := at[from]
		var err error
		switch {
		case e.cert != nil:
			err = c.addCertificate(s, e.hash, e.cert)
		case e.hash == s.hash && slices.Contains(s.controllers, from):
			err = c.addSignature(s, rooms.Signature{Node: from, Sig: e.sig})
		}
		if err != nil {
			c.debug("early signature", err)
			if m := blamed(err); m != 0 {
				c.note(from, m, err.Error())
			}
		}
	}
}

// onCert takes a certificate.
func (c *Controller) onCert(from rooms.NodeID, m *certMessage) error {
	if len(m.Cert) == 0 || len(m.Cert) > rooms.MaxControllers {
		return blame(Garbage, errors.New("step: a certificate of the wrong size"))
	}
	for _, s := range m.Cert {
		if len(s.Sig) > 64 {
			return blame(Garbage, errors.New("step: a certificate with a signature of the wrong size"))
		}
	}
	switch {
	case m.Height <= c.certified:
		if from == c.leader() {
			c.watch.withheld = 0 // late, not kept back
		}
		return nil
	case m.Height <= c.chain.Height:
		s := c.step(m.Height)
		if err := c.addCertificate(s, m.Header, m.Cert); err != nil {
			return err
		}
		if s.cert != nil {
			c.spread(s, from)
		}
		c.watchCert(s, from == c.leader())
		c.settle()
		return nil
	}
	return c.keepEarly(from, m.Height, earlySign{hash: m.Header, cert: m.Cert})
}

// addCertificate checks a certificate and takes it. A valid one for another header means that this node has diverged.
func (c *Controller) addCertificate(s *step, hash rooms.Hash, cert rooms.Certificate) error {
	if s.cert != nil {
		return nil
	}
	if err := c.verify(cert, hash, s); err != nil {
		err = fmt.Errorf("step: certificate for height %d: %w", s.header.Height, err)
		if s.header.Height == c.certified+1 { // above it, the controllers in force may not be what this node believes
			err = blame(BadCertificate, err)
		}
		return err
	}
	if hash != s.hash {
		// What is below may be wrong here too, and with it the set of controllers: only the first open step is sure.
		if s.header.Height == c.certified+1 {
			c.lostBatch(s)
			c.fail(fmt.Errorf("%w: another header is certified at height %d", ErrDiverged, s.header.Height))
		}
		return nil
	}
	s.cert = cert
	return nil
}

// verify is Certificate.Verify, without computing again what has been checked.
func (c *Controller) verify(cert rooms.Certificate, hash rooms.Hash, s *step) error {
	return cert.VerifyBy(hash, s.controllers, func(sig rooms.Signature, h rooms.Hash) bool {
		known, ok := s.sigs[sig.Node]
		return ok && h == s.hash && slices.Equal(known.Sig, sig.Sig) || c.cfg.CheckSignature(sig, h)
	})
}

// settle certifies what has a quorum, and raises the certified head over all certified steps in a row.
func (c *Controller) settle() {
	for _, s := range c.open {
		if s.cert != nil || len(s.sigs) < rooms.Quorum(len(s.controllers)) {
			continue
		}
		sigs := make([]rooms.Signature, 0, len(s.sigs))
		for _, n := range s.controllers {
			if sig, ok := s.sigs[n]; ok && len(sigs) < rooms.Quorum(len(s.controllers)) {
				sigs = append(sigs, sig)
			}
		}
		s.cert = rooms.MakeCertificate(sigs)
		c.watchCert(s, false)
		c.spread(s, c.cfg.Self)
	}
	for len(c.open) > 0 && c.open[0].cert != nil && c.broken == nil {
		s := c.open[0]
		c.open = c.open[1:]
		for i, it := range s.items {
			if i == 0 {
				c.rounds.took(c.now - it.put)
			}
			delete(c.queued, it.id)
		}
		if !s.told {
			c.decisions = append(c.decisions, rooms.Decision{Header: s.header, Batch: *s.batch, Verdicts: s.verdicts, Cert: s.cert})
		}
		c.raise(s.header.Height, s.hash, s.cert, s.after)
	}
}

// spread tells of a certificate that came from a node, or was gathered here: the leader all who want to know it, others the leader. Somebody may have kept from the
// leader the signature that it lacks, to make it look as if it withheld the certificate.
func (c *Controller) spread(s *step, from rooms.NodeID) {
	m := &envelope{Cert: &certMessage{Height: s.header.Height, Header: s.hash, Cert: s.cert}}
	switch lead := c.leader(); {
	case c.leads():
		c.sendAll(c.audience(s), m)
	case !lead.IsZero() && lead != from:
		c.send(lead, m)
	}
}

// raise moves the certified head up by one.
func (c *Controller) raise(height uint64, head rooms.Hash, cert rooms.Certificate, controllers []rooms.NodeID) {
	if len(cert) >= rooms.Quorum(len(c.controllers)) { // what a new epoch carries over has the directory's word instead: nobody else would take it for a certificate
		c.recent[height] = recentCert{head, cert}
	}
	c.certified, c.certHead, c.controllers = height, head, controllers
	delete(c.signed, height)
	delete(c.early, height)
	delete(c.recent, height-min(height, recentCerts))
	if c.behind <= c.certified {
		c.behind = 0
	}
}

// audience returns who wants to know the certificate of a step.
func (c *Controller) audience(s *step) []rooms.NodeID {
	out := slices.Concat(s.controllers, s.after)
	for _, m := range c.conf.members() {
		out = append(out, m.Node)
	}
	rooms.SortNodes(out)
	return slices.Compact(out)
}

// answer gives a member the certificate it misses, or says how far this node is.
func (c *Controller) answer(to rooms.NodeID, height uint64) {
	if r, ok := c.recent[height]; ok {
		c.send(to, &envelope{Cert: &certMessage{Height: height, Header: r.hash, Cert: r.cert}})
		return
	}
	c.send(to, &envelope{Head: &headMessage{Height: c.certified}})
}

// resend asks again for certificates that do not come.
func (c *Controller) resend() {
	for _, s := range c.open {
		if s.cert != nil || c.now < s.next {
			continue
		}
		s.wait = min(2*s.wait, maxSignPatience)
		s.next = c.now + s.wait
		if sig, ok := s.sigs[c.cfg.Self]; ok {
			c.sendAll(s.controllers, &envelope{Sign: &signMessage{Height: s.header.Height, Header: s.hash, Sig: sig.Sig, Again: true}})
		} else {
			c.sendAll(s.controllers, &envelope{Ask: &askMessage{Height: s.header.Height}})
		}
	}
}

// watchEarly asks for catch-up when certificates keep coming for heights that raft does not deliver here.
func (c *Controller) watchEarly() {
	top, from := uint64(0), rooms.NodeID{}
	for height, at := range c.early {
		for _, n := range sortedNodes(at) {
			if at[n].cert != nil && height > top {
				top, from = height, n
			}
		}
	}
	switch {
	case top <= c.chain.Height || c.stuckAt != c.chain.Height:
		c.stuckAt, c.stuckSince = c.chain.Height, c.now
	case c.now-c.stuckSince >= behindPatience:
		c.wantCatchUp(top, from)
	}
}

// noteBehind remembers that somebody claims to be certified up to height.
func (c *Controller) noteBehind(height uint64, from rooms.NodeID) {
	if height > c.chain.Height+MaxUnderWay {
		c.wantCatchUp(height, from)
	}
}

func (c *Controller) wantCatchUp(height uint64, from rooms.NodeID) {
	if height > c.certified && height > c.behind {
		if c.behind == 0 {
			c.behindAt = c.now - behindPatience // say it at once
		}
		c.behind, c.behindFrom = height, from
	}
}

func sortedNodes[V any](m map[rooms.NodeID]V) []rooms.NodeID {
	out := make([]rooms.NodeID, 0, len(m))
	for n := range m {
		out = append(out, n)
	}
	rooms.SortNodes(out)
	return out
}
