package irc

import (
	"context"
	"errors"
	"strings"

	"github.com/ergochat/irc-go/ircutils"
	irc "gopkg.in/irc.v4"

	"warren/bridge/login"
	"warren/rooms/errs"
)

// auth is how far a connection has got with logging in. It belongs to the reading goroutine.
type auth struct {
	account string // logged in before registration
	ex      *login.Exchange
	buf     *ircutils.SASLBuffer
	begun   bool // the client's first message went to the exchange
	tries   int
}

// mechanisms are those that AUTHENTICATE takes, the best first.
func (c *conn) mechanisms() []string { return login.Mechanisms(true, false) }

// who is the account of the connection, before or after registration.
func (c *conn) who() string {
	if c.sess != nil {
		return c.sess.Account()
	}
	return c.auth.account
}

func cmdAuthenticate(c *conn, r *reply, p []string) {
	switch {
	case c.srv.cfg.Accounts == nil:
		r.num(irc.ERR_SASLFAIL, "SASL authentication failed: this node has no accounts")
	case !c.have().has(capSASL):
		r.num(irc.ERR_SASLFAIL, "SASL authentication failed: ask for the capability sasl first")
	case c.who() != "":
		r.num(irc.ERR_SASLALREADY, "You have already authenticated using SASL")
	case p[0] == "*":
		c.auth.ex = nil
		r.num(irc.ERR_SASLABORTED, "SASL authentication aborted")
	case len(p[0]) > 400:
		c.auth.ex = nil
		r.num(irc.ERR_SASLTOOLONG, "SASL message too long")
	case c.auth.ex == nil:
		c.saslBegin(r, p[0])
	default:
		c.saslMessage(r, p[0])
	}
}

func (c *conn) saslBegin(r *reply, mech string) {
	ex, err := login.New(mech, c.srv.cfg.Accounts, nil)
	if err != nil {
		r.num(irc.RPL_SASLMECHS, strings.Join(c.mechanisms(), ","), "are available SASL mechanisms")
		r.num(irc.ERR_SASLFAIL, "SASL authentication failed: unknown mechanism")
		return
	}
	c.auth.ex, c.auth.buf, c.auth.begun = ex, ircutils.NewSASLBuffer(maxSASL), false
	r.send(&line{source: c.srv.cfg.Name, command: "AUTHENTICATE", params: []string{"+"}})
}

func (c *conn) saslMessage(r *reply, chunk string) {
	done, in, err := c.auth.buf.Add(chunk)
	switch {
	case errors.Is(err, ircutils.ErrSASLLimitExceeded):
		c.auth.ex = nil
		r.num(irc.ERR_SASLTOOLONG, "SASL message too long")
		return
	case err != nil:
		c.saslFailed(r, login.ErrMalformed)
		return
	case !done:
		return
	}
	if in == nil {
		in = []byte{}
	}
	c.blocking(func(ctx context.Context) { c.saslStep(ctx, r, in) })
}

// blocking runs f on the reading goroutine: what follows must see what it changes.
func (c *conn) blocking(f func(ctx context.Context)) {
	ctx, cancel := context.WithTimeout(c.ctx, commandMax)
	defer cancel()
	f(ctx)
}

func (c *conn) saslStep(ctx context.Context, r *reply, in []byte) {
	ex := c.auth.ex
	if c.auth.begun && len(in) == 0 && ex.Account() != "" { // the empty answer to the server's last words
		c.loggedIn(ctx, r, ex.Account())
		return
	}
	c.auth.begun = true
	out, done, err := ex.Step(ctx, in)
	switch {
	case err != nil:
		c.saslFailed(r, err)
	case done && len(out) == 0:
		c.loggedIn(ctx, r, ex.Account())
	default: // SCRAM's last message is data of the success; IRC sends it as one more challenge
		for _, l := range ircutils.EncodeSASLResponse(out) {
			r.send(&line{source: c.srv.cfg.Name, command: "AUTHENTICATE", params: []string{l}})
		}
	}
}

func (c *conn) saslFailed(r *reply, err error) {
	c.auth.ex = nil
	if !errors.Is(err, login.ErrCredentials) && !errors.Is(err, login.ErrMalformed) {
		c.srv.log.Debug("irc: a login failed", "err", err)
	}
	r.num(irc.ERR_SASLFAIL, "SASL authentication failed: "+loginText(err))
	if c.auth.tries++; c.auth.tries >= saslTries {
		c.kill("Too many failed logins")
	}
}

// loginText tells people why they could not log in or register.
func loginText(err error) string {
	for _, e := range []error{
		login.ErrCredentials, login.ErrMechanism, login.ErrMalformed, login.ErrExists, login.ErrName, login.ErrPassword, login.ErrClosed, login.ErrBusy,
		login.ErrUnreachable,
	} {
		if errors.Is(err, e) {
			return e.Error()
		}
	}
	switch errs.Of(err) {
	case errs.NickInUse:
		return "your nick belongs to somebody else: change it first"
	case errs.Frozen, errs.Timeout:
		return login.TooFew
	}
	return "something went wrong here: try again later"
}

// loggedIn ends a login. Before registration the account is noted, after it the session becomes the account's.
func (c *conn) loggedIn(ctx context.Context, r *reply, account string) {
	c.auth.ex = nil
	if err := c.becomes(ctx, r, account); err != nil {
		c.saslFailed(r, err)
		return
	}
	r.num(irc.RPL_SASLSUCCESS, "SASL authentication successful")
}

// becomes gives the connection an account and tells it with 900.
func (c *conn) becomes(ctx context.Context, r *reply, account string) error {
	mask := "*!*@*"
	if c.sess == nil {
		c.auth.account = account
		if c.want != "" {
			mask = maskOf(c.want, account, c.srv.hub.World().Self())
		}
	} else {
		if err := c.sess.Login(ctx, account); err != nil {
			return err
		}
		mask = c.mask()
	}
	r.num(irc.RPL_LOGGEDIN, mask, middle(account), "You are now logged in as "+account)
	if c.sess != nil && c.have().has(capAccountNotify) {
		r.send(&line{source: mask, command: "ACCOUNT", params: []string{account}})
	}
	return nil
}
