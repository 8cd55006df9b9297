package config

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// load reads text as the file warren.toml of a fresh folder.
func load(t *testing.T, text string) (Config, string, error) {
	t.Helper()
	dir := t.TempDir()
	path := filepath.Join(dir, FileName)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := Load(path)
	return c, dir, err
}

func TestLoadOfAnEmptyFileGivesTheDefaults(t *testing.T) {
	c, dir, err := load(t, "")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(c, Default(dir)); diff != "" {
		t.Error(diff)
	}
}

func TestLoad(t *testing.T) {
	c, dir, err := load(t, "\ufeff"+`
[node]
name = "attic"
[network]
listen = ["/ip4/127.0.0.1/tcp/4067"]
mdns = false
heartbeat = "500ms"
[irc]
listen = [] # off
tls_cert = "cert.pem"
tls_key = "/etc/key.pem"
motd = "file:motd.txt"
[[irc.opers]]
name = "root"
password = "secret"
[[irc.opers]]
name = "second"
password = "secret"
[limits]
stanza = "128 kib"
[xmpp]
domain = "example.org"
`)
	if err != nil {
		t.Fatal(err)
	}
	want := Default(dir)
	want.Node.Name = "attic"
	want.Network.Listen = []string{"/ip4/127.0.0.1/tcp/4067"}
	want.Network.MDNS = false
	want.Network.Heartbeat = Duration{500 * time.Millisecond}
	want.IRC.Listen = []string{}
	want.IRC.TLSCert = Path(filepath.Join(dir, "cert.pem"))
	want.IRC.TLSKey = "/etc/key.pem"
	want.IRC.MOTD = "file:" + filepath.Join(dir, "motd.txt")
	want.IRC.Opers = []Oper{{"root", "secret"}, {"second", "secret"}}
	want.Limits.Stanza = 128 * KiB
	want.XMPP.Domain = "example.org"
	if diff := cmp.Diff(c, want); diff != "" {
		t.Error(diff)
	}
	if _, err := c.ReadMOTD(); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a message of the day that is not there: %v", err)
	}
	if err := os.WriteFile(filepath.Join(dir, "motd.txt"), []byte("hello\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if motd, err := c.ReadMOTD(); motd != "hello\n" || err != nil {
		t.Errorf("got %q, %v", motd, err)
	}
}

func TestLoadSaysWhereAndWhat(t *testing.T) {
	for _, tt := range []struct{ name, in, want string }{
		{"a slip in a key", "[network]\nlisten = []\n  mnds = false\n", `3:3: network.mnds: there is no such key; did you mean network.mdns?`},
		{"a slip in a section", "[ircc]\nx = 1\n", `1:2: ircc: there is no such section; did you mean irc?`},
		{"a key of another section", "[node]\nbootstrap = []\n", `2:1: node.bootstrap: there is no such key; did you mean network.bootstrap?`},
		{"a hyphen", "[irc]\ntls-listen = []\n", `2:1: irc.tls-listen: there is no such key; did you mean irc.tls_listen?`},
		{"upper case", "[IRC]\n", `1:2: IRC: there is no such section; did you mean irc?`},
		{"nothing like it", "[irc]\nfrobnicate = 1\n", `2:1: irc.frobnicate: there is no such key`},
		{"a key without section", "listen = []\n", `1:1: listen: there is no such section; did you mean network.listen?`},
		{"a dotted key", "irc.lisen = []\n", `1:5: irc.lisen: there is no such key; did you mean irc.listen?`},
		{"a key with a dot in it", "\"irc.listen\" = []\n", `1:1: irc.listen: there is no such key; did you mean it without the quotes?`},
		{"an unknown key of an oper", "[irc]\nopers = [{name = \"a\", pasword = \"b\"}]\n", `2:23: irc.opers.pasword: there is no such key; did you mean irc.opers.password?`},
		{"text for a flag", "[network]\nmdns = \"yes\"\n", `2:1: network.mdns: expected true or false`},
		{"text for a list", "[irc]\nlisten = \"127.0.0.1:6667\"\n", `2:1: irc.listen: expected a list of texts`},
		{"numbers in a list of texts", "[irc]\nlisten = [6667]\n", `2:1: irc.listen: expected a list of texts`},
		{"number for a duration", "[order]\nheartbeat = 100\n", `2:1: order.heartbeat: expected a duration in quotes`},
		{"fraction for a duration", "[order]\nheartbeat = 0.1\n", `2:1: order.heartbeat: expected a duration in quotes`},
		{"number for a size", "[limits]\nstanza = 65536\n", `2:1: limits.stanza: expected a size in quotes`},
		{"fraction for a number", "[limits]\nclients = 1.5\n", `2:1: limits.clients: expected a whole number`},
		{"a huge number", "[limits]\nclients = 99999999999999999999\n", `2:11: limits.clients: `},
		{"value for a section", "irc = 3\n", `1:1: irc: expected a section`},
		{"section for a value", "[irc.listen]\n", `1:2: irc.listen: expected a list of texts`},
		{"list for a section", "[[irc]]\n", `1:3: irc: expected a section`},
		{"a bad duration", "[order]\nheartbeat = \"fast\"\n", `2:13: order.heartbeat: expected a duration such as "250ms", "1s" or "2m", found "fast"`},
		{"a bad size", "[limits]\nstanza = \"64 KB\"\n", `2:10: limits.stanza: expected a size such as "512B", "96KiB" or "1MiB", found "64 KB"`},
		{"a key twice", "[irc]\nlisten = []\nlisten = []\n", `3:1: listen: key listen is already defined`},
		{"an open bracket", "[irc\n", `1:`},
		{"not UTF-8", "[irc]\nmotd = \"\xff\"\n", `2:`},
		{"out of range", "# one\n[limits]\n\nclients = 0\n", `4:1: limits.clients: expected 1 to 1000000, found 0`},
		{"out of range in an inline table", "limits = { clients = 0 }\n", `1:12: limits.clients: expected 1 to 1000000, found 0`},
		{"two keys that do not fit", "[order]\nheartbeat = \"1s\"\n", `order.election_timeout: 1.5s is less than 3 times order.heartbeat (1s)`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, dir, err := load(t, tt.in)
			var e *Error
			if !errors.As(err, &e) {
				t.Fatalf("got %v, want an *Error", err)
			}
			got := strings.TrimPrefix(strings.TrimPrefix(err.Error(), filepath.Join(dir, FileName)), ":")
			if !strings.HasPrefix(strings.TrimSpace(got), tt.want) {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
			if strings.Contains(err.Error(), "\n") {
				t.Errorf("several lines: %q", err)
			}
		})
	}
}

func TestLoadOfWhatIsNoFile(t *testing.T) {
	dir := t.TempDir()
	if _, err := Load(filepath.Join(dir, "none.toml")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v", err)
	}
	if _, err := Load(dir); err == nil {
		t.Error("a folder is read as a file")
	}
	if _, _, err := load(t, strings.Repeat("#\n", maxFile)); err == nil || !strings.Contains(err.Error(), "1 MiB") {
		t.Errorf("got %v", err)
	}
}

func TestDataDirectoryOfAFileElsewhere(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("XDG_DATA_HOME", filepath.Join(dir, "xdg"))
	path := filepath.Join(dir, "mine.toml")
	for text, want := range map[string]string{
		"":                              filepath.Join(dir, "xdg", "warren"),
		"[node]\ndata = \"here\"":       filepath.Join(dir, "here"),
		"[node]\ndata = \"/var/there\"": "/var/there",
	} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		c, err := Load(path)
		if err != nil || string(c.Node.Data) != want {
			t.Errorf("%q: got %s, %v, want %s", text, c.Node.Data, err, want)
		}
	}
	t.Setenv("XDG_DATA_HOME", "relative/is/ignored")
	t.Setenv("HOME", "/home/ann")
	if got, err := DefaultDataDir(); err != nil || got != "/home/ann/.local/share/warren" {
		t.Errorf("got %s, %v", got, err)
	}
	t.Setenv("HOME", "")
	if got, err := DefaultDataDir(); err == nil {
		t.Errorf("without a home: got %s", got)
	}
}

func FuzzLoad(f *testing.F) {
	f.Add([]byte(Example()))
	for _, s := range []string{"[irc]\nlisten = []", "irc.opers = [{name='a'}]", "[[irc.opers]]\nname = \"x\"", "[limits]\nstanza = '1KiB'", "a.b.c = {d = [1, [2]]}", "[node]\ndata = \"\\u0000\""} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		c, places, err := parse("warren.toml", "/data", data)
		if err == nil && c.Node.Data == "" {
			c.Node.Data = "/data"
		}
		if err == nil {
			err = located(c.Validate(), "warren.toml", data, places)
		}
		if err != nil {
			if strings.ContainsAny(err.Error(), "\n\r") {
				t.Fatalf("several lines: %q", err)
			}
			return
		}
		text, err := render("/data/warren.toml", c)
		if err != nil {
			t.Fatal(err)
		}
		again, _, err := parse("warren.toml", "/data", []byte(text))
		if err != nil {
			t.Fatalf("%s\n%v", text, err)
		}
		if again.Node.Data == "" {
			again.Node.Data = "/data"
		}
		if diff := cmp.Diff(again, c); diff != "" {
			t.Fatalf("%s\n%s", text, diff)
		}
	})
}
