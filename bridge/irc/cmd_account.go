package irc

import (
	"context"
	"errors"
	"strings"

	"warren/bridge/login"
)

// cmdRegister serves REGISTER <account> <email> <password> (IRCv3 draft/account-registration).
func cmdRegister(c *conn, r *reply, p []string) {
	account := p[0]
	if account == "*" {
		if account = c.want; c.sess != nil {
			account = *c.nick.Load()
		}
	}
	about := middle(cutText(account, 64))
	switch {
	case !c.srv.mayRegister():
		r.fail("REGISTER", "DISALLOWED", about, "Registration is closed at this node")
		return
	case c.who() != "":
		r.fail("REGISTER", "ALREADY_AUTHENTICATED", about, "You have an account already")
		return
	case account == "":
		r.fail("REGISTER", "NEED_NICK", "*", "Choose a nick first, or name the account")
		return
	}
	c.blocking(func(ctx context.Context) {
		name, err := c.srv.cfg.Accounts.Register(ctx, account, p[2])
		if err != nil {
			r.fail("REGISTER", registerCode(err), about, sentence(loginText(err)))
			return
		}
		r.send(&line{source: c.srv.cfg.Name, command: "REGISTER", params: []string{"SUCCESS", middle(name), "The account is yours"}})
		if err := c.becomes(ctx, r, name); err != nil {
			r.fail("REGISTER", "LOGIN_FAILED", about, sentence("the account is yours, but you are not logged in: "+loginText(err)))
		}
	})
}

func registerCode(err error) string {
	switch {
	case errors.Is(err, login.ErrExists):
		return "ACCOUNT_EXISTS"
	case errors.Is(err, login.ErrName):
		return "BAD_ACCOUNT_NAME"
	case errors.Is(err, login.ErrPassword):
		return "UNACCEPTABLE_PASSWORD"
	case errors.Is(err, login.ErrClosed):
		return "DISALLOWED"
	}
	return "TEMPORARILY_UNAVAILABLE"
}

// sentence begins with a capital letter.
func sentence(s string) string {
	if s == "" {
		return s
	}
	return strings.ToUpper(s[:1]) + s[1:]
}

// cmdVerify answers VERIFY: no account waits for a code here.
func cmdVerify(c *conn, r *reply, p []string) {
	r.fail("VERIFY", "INVALID_CODE", middle(cutText(p[0], 64)), "No account waits to be verified: accounts are ready once registered")
}

func cmdNickServ(c *conn, r *reply, p []string) {
	if len(p) == 1 {
		p = strings.Fields(p[0])
	}
	c.nickServ(r, p)
}

// service says something as NickServ.
func (c *conn) service(r *reply, text string) {
	r.send(&line{source: c.srv.serviceMask(), command: "NOTICE", params: []string{c.target(), text}, time: c.srv.now(), bot: true})
}

// nickServ serves what clients without SASL say to NickServ.
func (c *conn) nickServ(r *reply, words []string) {
	verb := "HELP"
	if len(words) > 0 {
		verb = strings.ToUpper(words[0])
	}
	switch {
	case c.srv.cfg.Accounts == nil:
		c.service(r, "This node has no accounts.")
	case verb == "REGISTER" && len(words) >= 2:
		c.nickRegister(r, words[1])
	case (verb == "IDENTIFY" || verb == "LOGIN") && (len(words) == 2 || len(words) == 3):
		account := *c.nick.Load()
		if len(words) == 3 {
			account = words[1]
		}
		c.identify(r, account, words[len(words)-1])
	default:
		for _, t := range []string{
			"REGISTER <password> makes your nick an account, for you alone on every node",
			"IDENTIFY [account] <password> logs you in",
			"Better still: set up SASL in your client with account and password",
		} {
			c.service(r, t)
		}
	}
}

func (c *conn) nickRegister(r *reply, password string) {
	switch {
	case c.who() != "":
		c.service(r, "You are logged in as "+c.who()+" already.")
		return
	case !c.srv.mayRegister():
		c.service(r, "Registration is closed at this node.")
		return
	}
	c.blocking(func(ctx context.Context) {
		account, err := c.srv.cfg.Accounts.Register(ctx, *c.nick.Load(), password)
		if err == nil {
			err = c.becomes(ctx, r, account)
		}
		if err != nil {
			c.service(r, "Not registered: "+loginText(err)+".")
			return
		}
		c.service(r, "Your nick is yours now: account "+account+". Set up SASL in your client to be logged in from the start.")
	})
}

func (c *conn) identify(r *reply, account, password string) {
	if c.who() != "" {
		c.service(r, "You are logged in as "+c.who()+" already.")
		return
	}
	c.blocking(func(ctx context.Context) {
		name, err := c.srv.cfg.Accounts.Verify(ctx, account, password)
		if err == nil {
			err = c.becomes(ctx, r, name)
		}
		if err != nil {
			c.service(r, "Not logged in: "+loginText(err)+".")
			if c.auth.tries++; c.auth.tries >= saslTries {
				c.kill("Too many failed logins")
			}
			return
		}
		c.service(r, "You are now logged in as "+name+".")
	})
}
