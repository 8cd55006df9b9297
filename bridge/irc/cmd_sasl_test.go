package irc

import (
	"encoding/base64"
	"fmt"
	"strings"
	"testing"

	"github.com/xdg-go/scram"

	"warren/bridge/login"
)

func plain(account, password string) string {
	return base64.StdEncoding.EncodeToString([]byte("\x00" + account + "\x00" + password))
}

func TestAccounts(t *testing.T) {
	good, bad := plain("alice", "secret"), plain("alice", "wrong")
	tests := []struct{ name, script string }{
		{"SASL PLAIN before registration", `
			x> CAP LS 302
			x> CAP REQ :sasl account-tag extended-join
			x> NICK alice
			x> USER x 0 * :x
			x> AUTHENTICATE PLAIN
			x< AUTHENTICATE +
			x> AUTHENTICATE ` + good + `
			x< 900 * alice!alice@user/alice alice
			x< 903 *
			x> AUTHENTICATE PLAIN
			x< 907 *
			x> CAP END
			x< 001 alice :Welcome ... alice!alice@user/alice
			x> JOIN #c
			x< JOIN #c alice :x
			x> AUTHENTICATE PLAIN
			x< 907 alice`},
		{"failures, abort and retry", `
			x> CAP LS 302
			x> AUTHENTICATE PLAIN
			x< 904 *
			x> CAP REQ sasl
			x> AUTHENTICATE NONSENSE
			x< 908 * SCRAM-SHA-256,SCRAM-SHA-1,PLAIN
			x< 904 *
			x> AUTHENTICATE PLAIN
			x< AUTHENTICATE +
			x> AUTHENTICATE *
			x< 906 *
			x> AUTHENTICATE PLAIN
			x< AUTHENTICATE +
			x> AUTHENTICATE ` + bad + `
			x< 904 *
			x> AUTHENTICATE PLAIN
			x< AUTHENTICATE +
			x> AUTHENTICATE !!!
			x< 904 *
			x> AUTHENTICATE PLAIN
			x< AUTHENTICATE +
			x> AUTHENTICATE ` + strings.Repeat("A", 401) + `
			x< 905 *
			x> AUTHENTICATE PLAIN
			x< AUTHENTICATE +
			x> AUTHENTICATE ` + good + `
			x< 903 *
			x> NICK alice
			x> USER x 0 * :x
			x> CAP END
			x< 001 alice`},
		{"a reserved nick, then identify", `
			x> NICK alice
			x< 433 * alice
			x> NICK al
			x> USER x 0 * :x
			x< 001 al
			x> JOIN #c
			x< 366
			y> JOIN #c
			y< 366
			x> PRIVMSG NickServ :IDENTIFY alice wrong
			x< NOTICE al :Not logged in
			x> PRIVMSG NickServ :IDENTIFY alice secret
			x< 900 al al!alice@user/alice alice
			x< NOTICE al :You are now logged in as alice.
			x! PART
			y< :al!~al@guest/ ... PART #c
			y< :al!alice@user/alice JOIN #c
			x> NICK alice
			x< NICK alice
			y< :al!alice@user/alice NICK alice
			x> PRIVMSG #c :as alice
			y< :alice!alice@user/alice PRIVMSG #c :as alice
			x> NS IDENTIFY secret
			x< NOTICE alice :You are logged in as alice already.`},
		{"NickServ REGISTER", `
			x> NICK carol
			x> USER x 0 * :x
			x< NickServ ... REGISTER <password>
			x> NS HELP
			x< NOTICE carol :IDENTIFY
			x> NICKSERV REGISTER bad
			x< NOTICE carol :Not registered: the password
			x> NS REGISTER good
			x< 900 carol carol!carol@user/carol carol
			x< NOTICE carol :Your nick is yours now
			x> WHOIS carol
			x< 330 carol carol carol
			y> NICK carol
			y< 433 y carol`},
		{"REGISTER before registration", `
			x> CAP LS 302
			x< draft/account-registration=before-connect,custom-account-name
			x> CAP REQ :draft/account-registration
			x< ACK
			x> REGISTER * * secret
			x< FAIL REGISTER NEED_NICK
			x> NICK dora
			x> USER x 0 * :x
			x> REGISTER alice * secret
			x< FAIL REGISTER ACCOUNT_EXISTS alice
			x> REGISTER * * bad
			x< FAIL REGISTER UNACCEPTABLE_PASSWORD dora
			x> REGISTER * * secret
			x< REGISTER SUCCESS dora
			x< 900 * dora!dora@user/dora dora
			x> VERIFY dora 123
			x< FAIL VERIFY INVALID_CODE dora
			x> CAP END
			x< 001 dora
			x> REGISTER * * secret
			x< FAIL REGISTER ALREADY_AUTHENTICATED dora`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t)
			if _, err := w.servers[1].cfg.Accounts.Register(t.Context(), "alice", "secret"); err != nil {
				t.Fatal(err)
			}
			w.nodes[0].AddDevice(t, "alice")
			w.user(1, "y")
			w.raw("x")
			w.script(tt.script)
		})
	}
}

func TestTooManyTries(t *testing.T) {
	w := newWorld(t)
	w.raw("x")
	w.script("x> CAP REQ sasl\nx< ACK")
	for range saslTries {
		w.script("x> AUTHENTICATE PLAIN\nx< AUTHENTICATE +\nx> AUTHENTICATE " + plain("a", "b") + "\nx< 904")
	}
	w.script("x< ERROR ... Too many failed logins")
}

// Who cannot log in because the node with the keys is down must be told that, and not that something went wrong.
func TestWhyALoginFailed(t *testing.T) {
	for _, want := range []error{login.ErrCredentials, login.ErrMechanism, login.ErrBusy, login.ErrUnreachable} {
		if got := loginText(fmt.Errorf("log in: %w", want)); got != want.Error() {
			t.Errorf("%v: people are told %q", want, got)
		}
	}
}

func TestScram(t *testing.T) {
	for _, tt := range []struct {
		mech string
		hash scram.HashGeneratorFcn
	}{{login.ScramSHA1, scram.SHA1}, {login.ScramSHA256, scram.SHA256}} {
		t.Run(tt.mech, func(t *testing.T) {
			w := newWorld(t)
			if _, err := w.servers[0].cfg.Accounts.Register(t.Context(), "alice", "secret"); err != nil {
				t.Fatal(err)
			}
			x := w.raw("x")
			w.script("x> CAP REQ sasl\nx< ACK\nx> AUTHENTICATE " + tt.mech + "\nx< AUTHENTICATE +")
			cl, err := tt.hash.NewClient("alice", "secret", "")
			if err != nil {
				t.Fatal(err)
			}
			conv := cl.NewConversation()
			challenge := ""
			for !conv.Done() {
				answer, err := conv.Step(challenge)
				if err != nil {
					t.Fatal(err)
				}
				if answer == "" {
					break
				}
				x.send("AUTHENTICATE " + base64.StdEncoding.EncodeToString([]byte(answer)))
				_, data, _ := strings.Cut(x.expect("AUTHENTICATE "), "AUTHENTICATE ")
				raw, err := base64.StdEncoding.DecodeString(data)
				if err != nil {
					t.Fatal(err)
				}
				challenge = string(raw)
			}
			if !conv.Valid() {
				t.Error("the server did not show that it knows the password")
			}
			w.script("x> AUTHENTICATE +\nx< 900 * ... alice\nx< 903")
		})
	}
}

func TestPasswordsAreNotEchoed(t *testing.T) {
	w := newWorld(t)
	w.user(0, "ann", "echo-message")
	w.script(`
		ann> PRIVMSG NickServ :REGISTER hunter2
		ann< PRIVMSG NickServ :REGISTER ***
		ann< 900 ann
		ann! hunter2
	`)
}
