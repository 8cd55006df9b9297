package xmpp

import (
	"context"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"strings"

	"mellium.im/xmpp/jid"

	"warren/bridge/login"
	"warren/bridge/names"
	"warren/rooms/errs"
)

// authenticate runs one SASL exchange (RFC 6120 §6.4). ok false: the client was told why and may try again. An error ends the stream.
func (c *conn) authenticate(auth *element) (ok bool, err error) {
	if !c.mayPassword() {
		return false, c.write(saslFailure("encryption-required", "use TLS first").bytes())
	}
	authcid := func(s string) (string, error) { return names.LocalToAccount(s) }
	authzid := func(s string) (string, error) {
		j, err := jid.Parse(s)
		if err != nil || j.Domainpart() != c.srv.domain {
			return "", errors.New("another domain")
		}
		return names.LocalToAccount(j.Localpart())
	}
	x, err := login.New(auth.attr("mechanism"), c.srv.cfg.Accounts, c.bindings(), login.WithNames(authcid, authzid))
	if err != nil {
		return false, c.write(saslFailure("invalid-mechanism", "").bytes())
	}
	ctx, cancel := context.WithTimeout(c.ctx, opTime)
	defer cancel()
	e := auth
	for {
		in, good := saslPayload(e)
		if !good {
			return false, c.write(saslFailure("incorrect-encoding", "").bytes())
		}
		out, done, err := x.Step(ctx, in)
		if err != nil {
			if !errors.Is(err, login.ErrCredentials) {
				c.srv.log.Debug("xmpp: login", "err", err)
			}
			return false, c.write(saslFailureOf(err).bytes())
		}
		if done {
			c.account = x.Account()
			return true, c.write(el(nsSASL, "success", base64.StdEncoding.EncodeToString(out)).bytes())
		}
		if err := c.write(el(nsSASL, "challenge", base64.StdEncoding.EncodeToString(out)).bytes()); err != nil {
			return false, err
		}
		e, err = c.r.next()
		if err != nil {
			return false, err
		}
		if e.is(nsSASL, "abort") {
			return false, c.write(saslFailure("aborted", "").bytes())
		}
		if !e.is(nsSASL, "response") {
			return false, c.write(saslFailure("malformed-request", "a response was expected").bytes())
		}
	}
}

// saslPayload decodes the text of auth and response: nil when there is none, empty for "=".
func saslPayload(e *element) ([]byte, bool) {
	text := strings.TrimSpace(e.text())
	switch text {
	case "":
		if e.Name.Local == "response" {
			return []byte{}, true
		}
		return nil, true
	case "=":
		return []byte{}, true
	}
	b, err := base64.StdEncoding.DecodeString(text)
	return b, err == nil
}

func saslFailure(condition, text string) *element {
	f := el(nsSASL, "failure", el(nsSASL, condition))
	if text != "" {
		f.with(el(nsSASL, "text", text))
	}
	return f
}

// saslFailureOf is the table from errors of logging in to conditions (RFC 6120 §6.5).
func saslFailureOf(err error) *element {
	switch {
	case errors.Is(err, login.ErrCredentials), errors.Is(err, login.ErrPassword), errors.Is(err, login.ErrName):
		return saslFailure("not-authorized", "")
	case errors.Is(err, login.ErrMechanism):
		return saslFailure("invalid-mechanism", login.ErrMechanism.Error())
	case errors.Is(err, login.ErrUnknown):
		return saslFailure("invalid-mechanism", "")
	case errors.Is(err, login.ErrMalformed):
		return saslFailure("malformed-request", "")
	case errors.Is(err, login.ErrBusy):
		return saslFailure("temporary-auth-failure", login.ErrBusy.Error())
	case errors.Is(err, login.ErrUnreachable):
		return saslFailure("temporary-auth-failure", login.ErrUnreachable.Error())
	}
	switch errs.Of(err) {
	case errs.Frozen, errs.Timeout:
		return saslFailure("temporary-auth-failure", login.TooFew)
	}
	return saslFailure("temporary-auth-failure", "")
}

// bindings returns the channel binding data of the TLS connection, the preferred one first; none unless
// it is to be used.
func (c *conn) bindings() []login.Binding {
	t, ok := c.nc.(*tls.Conn)
	if !ok || !c.srv.cfg.ChannelBinding {
		return nil
	}
	st := t.ConnectionState()
	var out []login.Binding
	if b, err := st.ExportKeyingMaterial("EXPORTER-Channel-Binding", nil, 32); err == nil { // RFC 9266
		out = append(out, login.Binding{Type: "tls-exporter", Data: b})
	}
	if b := endPoint(c.srv.cfg.TLS); b != nil {
		out = append(out, login.Binding{Type: "tls-server-end-point", Data: b})
	}
	return out
}

// endPoint hashes the certificate as RFC 5929 §4.1 wants; nil when the server has not exactly one.
func endPoint(cfg *tls.Config) []byte {
	if len(cfg.Certificates) != 1 || cfg.GetCertificate != nil || cfg.GetConfigForClient != nil || len(cfg.Certificates[0].Certificate) == 0 {
		return nil
	}
	der := cfg.Certificates[0].Certificate[0]
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return nil
	}
	switch cert.SignatureAlgorithm {
	case x509.SHA384WithRSA, x509.ECDSAWithSHA384, x509.SHA384WithRSAPSS:
		h := sha512.Sum384(der)
		return h[:]
	case x509.SHA512WithRSA, x509.ECDSAWithSHA512, x509.SHA512WithRSAPSS:
		h := sha512.Sum512(der)
		return h[:]
	case x509.PureEd25519:
		return nil // RFC 5929 defines no hash for it
	}
	h := sha256.Sum256(der)
	return h[:]
}
