package errs

import (
	"errors"
	"fmt"
	"testing"
)

func TestEveryKindHasItsOwnWords(t *testing.T) {
	seen := map[string]Kind{}
	for k := OK; k <= Internal; k++ {
		words := k.Error()
		if other, twice := seen[words]; twice || words == "" || words == "unknown error" {
			t.Errorf("kind %d says %q, as kind %d does", k, words, other)
		}
		seen[words] = k
	}
	if got := (Internal + 1).Error(); got != "unknown error" {
		t.Errorf("a kind of the future says %q: was one added without words?", got)
	}
}

func TestKindsKeepTheirNumbers(t *testing.T) {
	want := []Kind{
		OK, Void, Stale, Denied, NotFound, Exists, NickInUse, Invalid, TooLarge, Quota, Closed, Banned, InviteOnly, NeedKey, Full, NotHere, Frozen, Busy, Timeout, Internal,
	}
	for i, k := range want {
		if int(k) != i {
			t.Errorf("%v has the number %d, and had %d: they lie in every log", k, k, i)
		}
	}
}

func TestOf(t *testing.T) {
	tests := map[string]struct {
		err  error
		want Kind
	}{
		"nothing":           {nil, OK},
		"a kind":            {Denied, Denied},
		"a wrapped kind":    {fmt.Errorf("enter: %w", Banned), Banned},
		"kinds that joined": {errors.Join(errors.New("x"), Full), Full},
		"something else":    {errors.New("disk on fire"), Internal},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if got := Of(tt.err); got != tt.want {
				t.Errorf("got %v, want %v", got, tt.want)
			}
			if tt.want != OK && tt.want != Internal && !errors.Is(tt.err, tt.want) {
				t.Error("errors.Is does not see it")
			}
		})
	}
}
