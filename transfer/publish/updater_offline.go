//go:build offline

package publish

import (
	"context"

	"conclave/transfer/client"
)

// updaterReads does nothing here: go-tuf's updater brings the network with it.
func (w *push) updaterReads(context.Context, *view, client.Memory) error { return nil }
