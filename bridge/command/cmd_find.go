package command

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"warren/bridge"
	"warren/rooms/errs"
	"warren/search/query"
)

// maxFound bounds the lines of one answer of !find.
const maxFound = 30

// Counter is a bridge.Finder that also tells how many nodes answered.
type Counter interface {
	bridge.Finder
	// FindCounted is Find, with the number of nodes that answered, this one included.
	FindCounted(ctx context.Context, expr, account, nick string) (found []bridge.Found, answered int, err error)
}

func findCommands() []*command {
	return []*command{{
		name: "find", args: "EXPR", help: "finds tagged things in the whole network: physics AND (lab OR draft) NOT old, kind:document owner:alice name:plan*",
		min: 1, max: 1, rest: true, run: find,
	}}
}

// Finding is the data of !find.
type Finding struct {
	Query    string         `json:"query"`
	Answered int            `json:"answered,omitempty"` // nodes; 0: not known
	Found    []bridge.Found `json:"found"`
}

func find(c *call) bridge.Reply {
	f := c.tree.hub.Finder()
	if f == nil {
		return failed("this node cannot search")
	}
	expr, err := query.Parse(c.args[0])
	if err == nil {
		err = expr.CheckAskable()
	}
	if err != nil {
		return failed(err.Error())
	}
	d := Finding{Query: expr.String()}
	p := c.session.Person()
	if n, ok := f.(Counter); ok {
		d.Found, d.Answered, err = n.FindCounted(c.ctx, d.Query, p.Account, p.Nick)
	} else {
		d.Found, err = f.Find(c.ctx, d.Query, p.Account, p.Nick)
	}
	if err != nil {
		return failed("the search went wrong: " + findTrouble(err))
	}
	slices.SortStableFunc(d.Found, func(a, b bridge.Found) int {
		return cmp.Or(strings.Compare(a.Room, b.Room), strings.Compare(a.Kind, b.Kind), strings.Compare(a.Name, b.Name))
	})
	from := ""
	if d.Answered > 0 {
		from = ", " + count(d.Answered, "node") + " answered"
	}
	if len(d.Found) == 0 {
		return told(d, "nothing found for "+d.Query+from)
	}
	lines := []string{"found " + count(len(d.Found), "thing") + " for " + d.Query + from + ":"}
	for i, x := range d.Found {
		if i == maxFound {
			lines = append(lines, fmt.Sprintf("… and %d more: narrow the search", len(d.Found)-maxFound))
			break
		}
		lines = append(lines, foundLine(x))
	}
	return told(d, lines...)
}

func foundLine(x bridge.Found) string {
	s := fmt.Sprintf("%s %s %q", x.Room, x.Kind, x.Name)
	if x.Kind == "room" {
		s = x.Room + " room"
	}
	if len(x.Tags) > 0 {
		s += " [" + strings.Join(x.Tags, ", ") + "]"
	}
	return s
}

func findTrouble(err error) string {
	switch {
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, errs.Timeout):
		return "no answer in time"
	case errors.Is(err, errs.Busy):
		return "too many searches at once: try again in a moment"
	}
	return err.Error()
}
