package main

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"warren/rooms/archive"
)

// Whoever checks the file of a room that was recovered must see that, and where: what was ordered last before it may be missing from the file.
func TestVerifyTellsOfRecoveries(t *testing.T) {
	rep := &archive.Report{Name: "lab", Height: 40, Epoch: 3, Beginnings: []archive.Beginning{
		{Height: 12, Epoch: 2, Silent: 1, Of: 4}, {Height: 25, Epoch: 3, By: "mary", Silent: 3, Of: 4},
	}}
	var out bytes.Buffer
	(&call{out: &out}).printReport("lab.warren", rep, true)
	if want := "before height 25: there mary recovered the room (epoch 3), and 3 of its 4 controllers did not answer"; !strings.Contains(out.String(), want) {
		t.Errorf("no word of %q in\n%s", want, &out)
	}
	if strings.Contains(out.String(), "height 12:") {
		t.Errorf("an epoch that the controllers began by themselves is shown as a loss:\n%s", &out)
	}
	data, err := json.Marshal(reportInfo(rep))
	if want := `"beginnings":[{"height":12,"epoch":2,"silent":1,"of":4},{"height":25,"epoch":3,"by":"mary","silent":3,"of":4}]`; err != nil || !bytes.Contains(data, []byte(want)) {
		t.Errorf("%v: no %s in %s", err, want, data)
	}
}
