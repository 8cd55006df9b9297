package config

import (
	"flag"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

var update = flag.Bool("update", false, "rewrite testdata")

func TestExampleIsCommitted(t *testing.T) {
	golden := filepath.Join("testdata", "example.toml")
	if *update {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(golden, []byte(Example()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(Example(), string(want)); diff != "" {
		t.Errorf("testdata/example.toml is old; run the test with -update: %s", diff)
	}
}

func TestExampleIsTheDefaults(t *testing.T) {
	c, dir, err := load(t, Example())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(c, Default(dir)); diff != "" {
		t.Error(diff)
	}
	for _, e := range schema() {
		if e.index != nil && e.comment == "" {
			t.Errorf("%s has no comment", e.path)
		}
		if e.kind != kindTable && e.index != nil && !strings.Contains(Example(), "\n"+e.name+" = ") {
			t.Errorf("%s is not in the example", e.path)
		}
	}
	for line := range strings.Lines(Example()) {
		if strings.HasPrefix(line, "#") && len(line) > commentWidth+1 {
			t.Errorf("long line: %s", line)
		}
	}
}

func TestDefaultsHoldNoNilList(t *testing.T) {
	v := reflect.ValueOf(Default("/data"))
	for _, e := range schema() {
		if e.index == nil {
			continue
		}
		if f := v.FieldByIndex(e.index); f.Kind() == reflect.Slice && f.IsNil() {
			t.Errorf("%s is nil", e.path)
		}
	}
}

func TestWriteStatesOnlyWhatDiffers(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, FileName)
	c := Default(dir)
	c.Node.Name = "n1"
	c.IRC.Listen = []string{"127.0.0.1:7001"}
	c.IRC.Password = "a \"b\" \\c"
	c.XMPP.TLSCert = Path(filepath.Join(dir, "tls", "cert.pem"))
	c.XMPP.TLSKey = "/etc/key.pem"
	if err := Write(path, c); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var keys []string
	for line := range strings.Lines(string(text)) {
		if line = strings.TrimSpace(line); line != "" && line[0] != '#' {
			keys = append(keys, line)
		}
	}
	want := []string{
		"[node]", `name = "n1"`, "[irc]", `listen = ["127.0.0.1:7001"]`, `password = "a \"b\" \\c"`,
		"[xmpp]", `tls_cert = "tls/cert.pem"`, `tls_key = "/etc/key.pem"`,
	}
	if diff := cmp.Diff(keys, want); diff != "" {
		t.Error(diff)
	}
	got, err := Load(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(got, c); diff != "" {
		t.Error(diff)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("others may read the file: %v, %v", info.Mode(), err)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 1 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

func TestWriteRefuses(t *testing.T) {
	dir := t.TempDir()
	c := Default(dir)
	c.Log.Level = "loud"
	if err := Write(filepath.Join(dir, FileName), c); err == nil {
		t.Error("wrote a configuration that Load would refuse")
	}
	if err := Write(filepath.Join(dir, "none", FileName), Default(dir)); err == nil {
		t.Error("wrote into a folder that is not there")
	}
}

func TestLoadUndoesWrite(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, FileName)
	words := rapid.StringOfN(rapid.Rune().Filter(func(r rune) bool { return r >= ' ' && (r < 0x7f || r > 0x9f) }), 0, 12, 60)
	rapid.Check(t, func(t *rapid.T) {
		c := Default(rapid.SampledFrom([]string{dir, filepath.Join(dir, "data"), "/var/warren"}).Draw(t, "data"))
		c.IRC.Password = words.Draw(t, "password")
		c.IRC.MOTD = rapid.OneOf(words, rapid.Just("file:/etc/motd"), rapid.Just("file:"+dir+"/motd"), rapid.Just("a\nb\tc\r\x02")).Draw(t, "motd")
		c.IRC.Opers = rapid.SampledFrom([][]Oper{{}, {{"a", `"`}}, {{"a", "x y"}, {"b", "\\"}}}).Draw(t, "opers")
		c.Network.MDNS = rapid.Bool().Draw(t, "mdns")
		c.Network.Listen = rapid.SampledFrom([][]string{{}, {"/ip4/127.0.0.1/tcp/1"}, c.Network.Listen}).Draw(t, "listen")
		c.Limits.LoginTime = Duration{time.Duration(rapid.Int64Range(1e9, 6e11).Draw(t, "time"))}
		c.Limits.Stanza = Size(rapid.Int64Range(10000, 1<<20).Draw(t, "size"))
		if c.Validate() != nil {
			return
		}
		if err := Write(path, c); err != nil {
			t.Fatal(err)
		}
		got, err := Load(path)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(got, c); diff != "" {
			t.Fatal(diff)
		}
	})
}

func TestDurationsAndSizesComeBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := Duration{time.Duration(rapid.Int64().Draw(t, "d"))}
		var gotD Duration
		if err := gotD.UnmarshalText([]byte(d.String())); err != nil || gotD != d {
			t.Fatalf("%s came back as %s, %v", d, gotD, err)
		}
		s := Size(rapid.Int64Min(0).Draw(t, "s"))
		var gotS Size
		if err := gotS.UnmarshalText([]byte(s.String())); err != nil || gotS != s {
			t.Fatalf("%s came back as %s, %v", s, gotS, err)
		}
	})
	for d, want := range map[time.Duration]string{2 * time.Minute: "2m", time.Hour: "1h", 90 * time.Minute: "1h30m", 0: "0s", 10 * time.Second: "10s", time.Hour + time.Second: "1h0m1s"} {
		if got := (Duration{d}).String(); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
	for s, want := range map[Size]string{0: "0B", 512: "512B", 96 * KiB: "96KiB", 1536: "1536B", MiB: "1MiB", 3 * GiB: "3GiB"} {
		if got := s.String(); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
	for _, bad := range []string{"", "x", "1XB", "-1", "1.5KiB", "9223372036854775807KiB", "KiB"} {
		var s Size
		if err := s.UnmarshalText([]byte(bad)); err == nil {
			t.Errorf("%q became %s", bad, s)
		}
	}
}
