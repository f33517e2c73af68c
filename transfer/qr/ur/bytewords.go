package ur

import (
	"encoding/binary"
	"strings"
)

// words are the 256 bytewords of BCR-2020-012, of four letters each. The first and the
// last letter are enough to tell them apart.
const words = "" +
	"ableacidalsoapexaquaarchatomauntawayaxisbackbaldbarnbeltbetabias" +
	"bluebodybragbrewbulbbuzzcalmcashcatschefcityclawcodecolacookcost" +
	"cruxcurlcuspcyandarkdatadaysdelidicedietdoordowndrawdropdrumdull" +
	"dutyeacheasyechoedgeepicevenexamexiteyesfactfairfernfigsfilmfish" +
	"fizzflapflewfluxfoxyfreefrogfuelfundgalagamegeargemsgiftgirlglow" +
	"goodgraygrimgurugushgyrohalfhanghardhawkheathelphighhillholyhope" +
	"hornhutsicedideaidleinchinkyintoirisironitemjadejazzjoinjoltjowl" +
	"judojugsjumpjunkjurykeepkenokeptkeyskickkilnkingkitekiwiknoblamb" +
	"lavalazyleaflegsliarlimplionlistlogoloudloveluaulucklungmainmany" +
	"mathmazememomenumeowmildmintmissmonknailnavyneednewsnextnoonnote" +
	"numbobeyoboeomitonyxopenovalowlspaidpartpeckplaypluspoempoolpose" +
	"puffpumapurrquadquizraceramprealredorichroadrockroofrubyruinruns" +
	"rustsafesagascarsetssilkskewslotsoapsolosongstubsurfswantacotask" +
	"taxitenttiedtimetinytoiltombtoystriptunatwinuglyundouniturgeuser" +
	"vastveryvetovialvibeviewvisavoidvowswallwandwarmwaspwavewaxywebs" +
	"whatwhenwhizwolfworkyankyawnyellyogayurtzapszerozestzinczonezoom"

var (
	letters [256][2]byte
	values  [26][26]int16 // by first and last letter; -1 is no byteword
)

func init() {
	for i := range values {
		for j := range values[i] {
			values[i][j] = -1
		}
	}
	for i := range letters {
		first, last := words[4*i], words[4*i+3]
		letters[i] = [2]byte{first, last}
		values[first-'a'][last-'a'] = int16(i)
	}
}

// Bytewords writes b and its CRC-32 in minimal bytewords: two lower-case letters a byte.
func Bytewords(b []byte) string {
	var s strings.Builder
	s.Grow(2*len(b) + 8)
	for _, part := range [][]byte{b, binary.BigEndian.AppendUint32(nil, checksum(b))} {
		for _, c := range part {
			s.Write(letters[c][:])
		}
	}
	return s.String()
}

// ParseBytewords reads minimal bytewords in either case and checks the CRC-32. Its errors are of type *PartError.
func ParseBytewords(s string) ([]byte, error) {
	const sum = 4
	if len(s)%2 != 0 || len(s)/2 <= sum {
		return nil, partError("%d letters are no bytewords", len(s))
	}
	b := make([]byte, len(s)/2)
	for i := range b {
		v := value(s[2*i], s[2*i+1])
		if v < 0 {
			return nil, partError("letters %d and %d are no byteword", 2*i+1, 2*i+2)
		}
		b[i] = byte(v)
	}
	body, crc := b[:len(b)-sum], b[len(b)-sum:]
	if checksum(body) != binary.BigEndian.Uint32(crc) {
		return nil, partError("the checksum is wrong: it was misread")
	}
	return body, nil
}

func value(first, last byte) int16 {
	first, last = first|0x20, last|0x20
	if first < 'a' || first > 'z' || last < 'a' || last > 'z' {
		return -1
	}
	return values[first-'a'][last-'a']
}
