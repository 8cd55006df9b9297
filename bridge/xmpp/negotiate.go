package xmpp

import (
	"context"
	"crypto/tls"
	"io"
	"time"

	"mellium.im/xmpp/jid"

	"warren/bridge/login"
)

// negotiate brings a connection to a bound resource: stream header, STARTTLS, SASL, new stream, bind (RFC 6120 §4.3).
func (c *conn) negotiate(directTLS bool) error {
	if directTLS {
		if err := c.upgrade(); err != nil {
			return err
		}
	}
	if err := c.openStream(); err != nil {
		return err
	}
	tries := 0
	for n := 0; ; n++ {
		if n > maxRequestsPre {
			return fault("policy-violation", "too many requests before login")
		}
		e, err := c.r.next()
		if err != nil {
			return err
		}
		switch {
		case e.is(nsTLS, "starttls") && !c.secured && c.srv.cfg.TLS != nil:
			if err := c.write(el(nsTLS, "proceed").bytes()); err != nil {
				return err
			}
			if err := c.upgrade(); err != nil {
				return err
			}
			if err := c.openStream(); err != nil {
				return err
			}
		case e.is(nsTLS, "starttls"):
			_ = c.write(el(nsTLS, "failure").bytes())
			return errStreamEnd
		case e.is(nsSASL, "auth") && c.account == "":
			ok, err := c.authenticate(e)
			if err != nil {
				return err
			}
			if ok {
				if err := c.openStream(); err != nil {
					return err
				}
				continue
			}
			if tries++; tries >= maxTries {
				return fault("policy-violation", "too many failed logins")
			}
		case e.is(nsSASL, "abort"):
			if err := c.write(saslFailure("aborted", "").bytes()); err != nil {
				return err
			}
		case e.is(nsClient, "iq") && c.account == "" && e.child(nsRegister, "query") != nil:
			if c.register(e) {
				tries++
			}
			if tries >= maxTries {
				return fault("policy-violation", "too many failed registrations")
			}
		case e.is(nsClient, "iq") && c.account != "" && e.child(nsBind, "bind") != nil:
			done, err := c.bindResource(e)
			if err != nil || done {
				return err
			}
		case c.account == "":
			return fault("not-authorized", "log in first")
		case e.is(nsClient, "iq") && (e.attr("type") == "get" || e.attr("type") == "set"):
			if err := c.write(errorReply(e, stanzaError{"cancel", "not-allowed", "bind a resource first"}).bytes()); err != nil {
				return err
			}
		default:
			return fault("not-authorized", "bind a resource first")
		}
	}
}

// mayPassword reports whether a password may be sent over this connection.
func (c *conn) mayPassword() bool { return c.secured || c.loopback }

// upgrade makes the connection a TLS one. What the client sent in clear after its wish is thrown away with the old reader.
func (c *conn) upgrade() error {
	cfg := c.srv.cfg.TLS.Clone()
	if len(cfg.NextProtos) == 0 {
		cfg.NextProtos = []string{"xmpp-client"} // XEP-0368; who sends no ALPN is taken too
	}
	if cfg.MinVersion < tls.VersionTLS12 {
		cfg.MinVersion = tls.VersionTLS12
	}
	t := tls.Server(c.nc, cfg)
	ctx, cancel := context.WithTimeout(c.ctx, authTime)
	defer cancel()
	if err := t.HandshakeContext(ctx); err != nil {
		c.srv.log.Debug("xmpp: TLS handshake", "err", err)
		c.mu.Lock()
		c.ended = true // the peer does not understand us
		c.mu.Unlock()
		return err
	}
	c.mu.Lock()
	c.nc = t
	c.secured, c.opened = true, false
	c.mu.Unlock()
	c.r = nil
	return nil
}

// openStream reads a stream header and answers with ours and the features.
func (c *conn) openStream() error {
	limit := c.srv.limits.MaxStanzaAuth
	if c.account != "" {
		limit = c.srv.limits.MaxStanza
	}
	var from io.Reader = touched{c}
	if c.r != nil && c.r.m.at < c.r.m.end { // the client did not wait for our answer to the last element
		rest := append([]byte(nil), c.r.m.buf[c.r.m.at:c.r.m.end]...)
		from = &prefixed{rest, from}
	}
	c.r = newReader(from, limit)
	c.mu.Lock()
	c.streamID, c.opened = newID(), false
	c.mu.Unlock()
	h, err := c.r.header()
	if err != nil {
		return err
	}
	c.mu.Lock()
	c.opened = true
	c.mu.Unlock()
	if err := c.write([]byte(c.openTag())); err != nil {
		return err
	}
	switch {
	case h.Name.Local != "stream" || h.Name.Space != nsStream:
		return fault("invalid-namespace", "the stream must be in %s", nsStream)
	case !c.r.declares("", nsClient):
		return fault("invalid-namespace", "the content must be in %s", nsClient)
	}
	if v := h.attr("version"); v == "" || v[0] == '0' {
		return fault("unsupported-version", "version 1.0 is needed")
	}
	if to := h.attr("to"); to != "" {
		j, err := jid.Parse(to)
		if err != nil || j.Localpart() != "" || j.Resourcepart() != "" || j.Domainpart() != c.srv.domain {
			return fault("host-unknown", "this is %s", c.srv.domain)
		}
	}
	return c.write(c.features().appendXML(nil, nsClient))
}

// prefixed reads what was read ahead before the rest.
type prefixed struct {
	rest []byte
	r    io.Reader
}

func (p *prefixed) Read(b []byte) (int, error) {
	if len(p.rest) == 0 {
		return p.r.Read(b)
	}
	n := copy(b, p.rest)
	p.rest = p.rest[n:]
	return n, nil
}

// declares reports whether the header bound the prefix to the namespace.
func (r *reader) declares(prefix, space string) bool {
	for i := len(r.scope) - 1; i >= 0; i-- {
		if r.scope[i].prefix == prefix {
			return r.scope[i].space == space
		}
	}
	return false
}

func (c *conn) openTag() string {
	return "<?xml version='1.0'?><stream:stream xmlns='" + nsClient + "' xmlns:stream='" + nsStream + "' from='" + c.srv.domain +
		"' id='" + c.streamID + "' version='1.0' xml:lang='en'>"
}

// features says what the client may do next.
func (c *conn) features() *element {
	f := el(nsClient, "stream:features")
	if c.account != "" {
		return f.with(
			el(nsBind, "bind", el(nsBind, "required")),
			el(nsSession, "session", el(nsSession, "optional")),
		)
	}
	if !c.secured && c.srv.cfg.TLS != nil {
		tls := el(nsTLS, "starttls")
		if !c.loopback {
			tls.with(el(nsTLS, "required"))
		}
		f.with(tls)
	}
	if !c.mayPassword() {
		return f
	}
	bindings := c.bindings()
	m := el(nsSASL, "mechanisms")
	for _, name := range login.Mechanisms(true, len(bindings) > 0) {
		m.with(el(nsSASL, "mechanism", name))
	}
	f.with(m)
	if len(bindings) > 0 {
		b := el(nsBinding, "sasl-channel-binding")
		for _, x := range bindings {
			b.with(el(nsBinding, "channel-binding", at("type", x.Type)))
		}
		f.with(b)
	}
	if c.srv.cfg.RegistrationOpen {
		f.with(el(nsRegFeat, "register"))
	}
	return f
}

// write sends bytes at once; only before the outbox takes over.
func (c *conn) write(b []byte) error {
	c.mu.Lock()
	ended := c.ended
	c.mu.Unlock()
	if ended {
		return io.ErrClosedPipe
	}
	_ = c.nc.SetWriteDeadline(time.Now().Add(writeTime))
	_, err := c.nc.Write(b)
	return err
}
