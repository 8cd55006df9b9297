package store_test

import (
	"testing"

	"warren/node/store/storetest"
)

func TestModel(t *testing.T) {
	for name, open := range openers() {
		t.Run(name, func(t *testing.T) { storetest.Model(t, open) })
	}
}
