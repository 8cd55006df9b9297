package xmpp

import (
	"context"
	"errors"

	"warren/bridge/login"
	"warren/bridge/names"
)

// register answers a request to make an account before login (XEP-0077 §3.1). It reports whether that was a try that failed.
func (c *conn) register(iq *element) (failed bool) {
	q := iq.child(nsRegister, "query")
	switch {
	case !c.srv.cfg.RegistrationOpen:
		_ = c.write(errorReply(iq, stanzaError{"cancel", "service-unavailable", login.ErrClosed.Error()}).bytes())
		return true
	case !c.mayPassword():
		_ = c.write(errorReply(iq, stanzaError{"auth", "not-authorized", "use TLS first"}).bytes())
		return true
	case iq.attr("type") == "get":
		form := el(nsRegister, "query", el(nsRegister, "instructions", "Choose a name and a password."), el(nsRegister, "username"), el(nsRegister, "password"))
		_ = c.write(resultOf(iq, form).bytes())
		return false
	case iq.attr("type") != "set" || q.child(nsRegister, "username") == nil || q.child(nsRegister, "password") == nil:
		_ = c.write(errorReply(iq, stanzaError{"modify", "bad-request", "a name and a password are needed"}).bytes())
		return true
	}
	name, err := names.LocalToAccount(q.childText(nsRegister, "username"))
	if err != nil {
		err = login.ErrName
	} else {
		ctx, cancel := context.WithTimeout(c.ctx, opTime)
		defer cancel()
		_, err = c.srv.cfg.Accounts.Register(ctx, name, q.childText(nsRegister, "password"))
	}
	if err != nil {
		_ = c.write(errorReply(iq, registerError(err)).bytes())
		return true
	}
	_ = c.write(resultOf(iq).bytes())
	return false
}

func registerError(err error) stanzaError {
	switch {
	case errors.Is(err, login.ErrExists):
		return stanzaError{"cancel", "conflict", login.ErrExists.Error()}
	case errors.Is(err, login.ErrName):
		return stanzaError{"modify", "jid-malformed", login.ErrName.Error()}
	case errors.Is(err, login.ErrPassword):
		return stanzaError{"modify", "not-acceptable", login.ErrPassword.Error()}
	case errors.Is(err, login.ErrClosed):
		return stanzaError{"cancel", "not-allowed", login.ErrClosed.Error()}
	case errors.Is(err, login.ErrBusy):
		return stanzaError{"wait", "resource-constraint", login.ErrBusy.Error()}
	}
	return stanzaError{"wait", "internal-server-error", ""}
}

// registered answers jabber:iq:register of somebody who has an account: nothing can be changed that way.
func (c *conn) registered(iq *element) {
	if iq.attr("type") == "get" {
		c.send(resultOf(iq, el(nsRegister, "query", el(nsRegister, "registered"), el(nsRegister, "username", c.account))))
		return
	}
	c.send(errorReply(iq, stanzaError{"cancel", "not-allowed", "passwords are changed with `warren account passwd`"}))
}
