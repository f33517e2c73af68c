package hsm

import "context"

// Held lists what is in the readers now, by IDs where tokens is a Watcher: a
// token that was taken out and put in again, or swapped, has another ID, so
// whoever compares two lists misses nothing. Else it lists their names.
func Held(ctx context.Context, tokens Tokens) ([]string, error) {
	w, ok := tokens.(Watcher)
	if !ok {
		return tokens.Present(ctx)
	}
	readers, err := w.Seen(ctx)
	if err != nil {
		return nil, err
	}
	var ids []string
	for _, r := range readers {
		if r.Card {
			ids = append(ids, r.ID())
		}
	}
	return ids, nil
}
