#include "Blitz.h"

#include <ctype.h>

namespace {

/* The types of a line, as the top three bits of its second byte. */
enum Type { START = 0, STOP = 1, INSTRUCTION = 4, DATA = 5, TRANSMIT = 6 };

const uint8_t ASK_ID = 0x81, ID_ANSWER = 0x82, ASK_STATUS = 0x83, STATUS_ANSWER = 0x84;

char hexDigit(uint8_t nibble) { return nibble < 10 ? '0' + nibble : 'a' - 10 + nibble; }

uint8_t nibbleOf(char digit) { return digit <= '9' ? digit - '0' : (digit | 0x20) - 'a' + 10; }

}  // namespace

BlitzPayload& BlitzPayload::add(uint32_t value, uint8_t bits) {
  // Byte by byte, and whole bytes without a shift, which costs this processor a loop; it keeps the lowest byte first.
  while (bits > 0 && _used < 8 * BYTES) {
    if ((_used & 7) == 0 && (bits & 7) == 0) {
      bytes[_used >> 3] = ((const uint8_t*)&value)[(bits >> 3) - 1];
      _used += 8;
      bits -= 8;
      continue;
    }
    const uint8_t room = 8 - (_used & 7);
    const uint8_t taken = bits < room ? bits : room;
    const uint8_t part = (uint8_t)(value >> (bits - taken)) & (uint8_t)((1 << taken) - 1);
    bytes[_used >> 3] |= part << (room - taken);
    _used += taken;
    bits -= taken;
  }
  return *this;
}

BlitzBoardCore::BlitzBoardCore(uint8_t id, Message* ring, uint16_t slots)
    : _id(id),
      _ring(ring),
      _slots(slots),
      _write(0),
      _send(0),
      _logged(0),
      _dropped(0),
      _port(NULL),
      _obey(NULL),
      _mode(BLITZ_POLLED),
      _isLogging(false),
      _isTransmitting(false),
      _toTransmit(0),
      _isSkipping(false),
      _lineLength(0),
      _outLength(0),
      _outSent(0) {}

void BlitzBoardCore::begin(Stream& port, BlitzMode mode) {
  _port = &port;
  _mode = mode;
  _isLogging = mode == BLITZ_STREAMING;
}

void BlitzBoardCore::poll() {
  if (_port == NULL || !_flush()) return;
  // One request at a time: while an answer is under way, the next one waits in the port's receive buffer.
  if (!_isTransmitting) _readRequest();
  if (_outLength == 0) _continueSending();
  _flush();
}

bool BlitzBoardCore::log(const BlitzPayload& payload, uint8_t flags) {
  if (!_isLogging) return true;
  const bool isRoom = hasRoom();
  if (!isRoom) {
    _send = _next(_send);
    _dropped++;
    if (_toTransmit > 0) _toTransmit--;
  }
  Message& message = _ring[_write];
  message.timestamp_ms = millis();
  message.meta = DATA << 5 | (flags & 0x1f);
  memcpy(message.payload, payload.bytes, BlitzPayload::BYTES);
  _write = _next(_write);
  _logged++;
  return isRoom;
}

/* ---- requests ---------------------------------------------------------------------------------------------------- */

void BlitzBoardCore::_readRequest() {
  while (_outLength == 0 && !_isTransmitting) {
    const int received = _port->read();
    if (received < 0) return;
    const char character = received;
    if (character == '\n') {
      // An empty line is noise, not a request: older boards take it for START, and lose what they hold.
      if (!_isSkipping && _lineLength > 0) _answerLine();
      _lineLength = 0;
      _isSkipping = false;
    } else if (character == '\r' || _isSkipping) {
      continue;
    } else if (_lineLength == DATA_DIGITS) {
      _isSkipping = true;
      _sendShort(BLITZ_TOO_LONG);
    } else {
      _line[_lineLength++] = character;
    }
  }
}

void BlitzBoardCore::_answerLine() {
  if (_lineLength < SHORT_DIGITS) return _sendShort(BLITZ_TOO_SHORT);
  if (!_isHex()) return _sendShort(BLITZ_UNKNOWN_MESSAGE);
  // The id is not looked at: this line has no other board, and 00 means whoever is there.
  const uint8_t meta = _byteAt(2);
  switch (meta >> 5) {
    case START:
      _start();
      return _sendShort(BLITZ_ACK);
    case STOP:
      _isLogging = false;
      return _sendShort(BLITZ_ACK);
    case TRANSMIT:
      if (!_isLogging) return _sendShort(BLITZ_NOT_LOGGING);
      // What is logged from now on belongs to the next answer: this one must end, however fast we log.
      _isTransmitting = true;
      _toTransmit = pending();
      return;
    case INSTRUCTION:
      return _answerInstruction(meta);
    default:
      return _sendShort(BLITZ_UNKNOWN_MESSAGE);
  }
}

void BlitzBoardCore::_answerInstruction(uint8_t meta) {
  if (meta == ASK_ID) return _sendShort(ID_ANSWER);
  if (meta == ASK_STATUS) return _sendStatus();
  if (meta < BLITZ_SET_SPEED || meta > BLITZ_CALIBRATION_STEP) return _sendShort(BLITZ_UNKNOWN_INSTRUCTION);
  if (_obey == NULL) return _sendShort(BLITZ_NOT_IMPLEMENTED);
  if (_lineLength < INSTRUCTION_DIGITS) return _sendShort(BLITZ_TOO_SHORT);
  uint32_t timestamp = 0;
  for (uint8_t digit = SHORT_DIGITS; digit < HEAD_DIGITS; digit += 2) timestamp = timestamp << 8 | _byteAt(digit);
  BlitzPayload payload;
  for (uint8_t digit = HEAD_DIGITS; digit < _lineLength; digit++) payload.add(nibbleOf(_line[digit]), 4);
  _sendShort(_obey(meta, timestamp, payload));
}

void BlitzBoardCore::_start() {
  _write = _send = 0;
  _logged = _dropped = 0;
  _isLogging = true;
}

/* ---- lines to send ----------------------------------------------------------------------------------------------- */

void BlitzBoardCore::_continueSending() {
  if (_isTransmitting) {
    if (_toTransmit > 0) {
      _toTransmit--;
      _sendOldest();
    } else {
      _isTransmitting = false;
      _sendShort(BLITZ_ACK);
    }
  } else if (_mode == BLITZ_STREAMING && _isLogging && pending() > 0) {
    _sendOldest();
  }
}

void BlitzBoardCore::_sendOldest() {
  const Message& message = _ring[_send];
  _sendLong(message.meta, message.timestamp_ms, message.payload);
  _send = _next(_send);
}

void BlitzBoardCore::_sendShort(uint8_t code) {
  _putByte(_id);
  _putByte(code);
  _endLine();
}

void BlitzBoardCore::_sendStatus() {
  BlitzPayload payload;
  payload.add(_isLogging, 1).add(_write, 10).add(_send, 10);
  _sendLong(STATUS_ANSWER, millis(), payload.bytes);
}

void BlitzBoardCore::_sendLong(uint8_t meta, uint32_t timestamp_ms, const uint8_t* payload) {
  _putByte(_id);
  _putByte(meta);
  for (int8_t shift = 24; shift >= 0; shift -= 8) _putByte(timestamp_ms >> shift);
  for (uint8_t index = 0; index < BlitzPayload::BYTES; index++) _putByte(payload[index]);
  _endLine();
}

void BlitzBoardCore::_putByte(uint8_t value) {
  _out[_outLength++] = hexDigit(value >> 4);
  _out[_outLength++] = hexDigit(value & 0x0f);
}

void BlitzBoardCore::_endLine() {
  _out[_outLength++] = '\r';
  _out[_outLength++] = '\n';
}

/* Leave in the port's buffer what it has room for; return whether nothing is left over. */
bool BlitzBoardCore::_flush() {
  if (_outLength == 0) return true;
  const uint8_t left = _outLength - _outSent;
  const int room = _port->availableForWrite();
  const uint8_t count = room < left ? room : left;
  _outSent += _port->write((const uint8_t*)_out + _outSent, count);
  if (_outSent < _outLength) return false;
  _outLength = _outSent = 0;
  return true;
}

/* ---- digits ------------------------------------------------------------------------------------------------------ */

bool BlitzBoardCore::_isHex() const {
  for (uint8_t digit = 0; digit < _lineLength; digit++) {
    if (!isxdigit((uint8_t)_line[digit])) return false;
  }
  return true;
}

uint8_t BlitzBoardCore::_byteAt(uint8_t digit) const { return nibbleOf(_line[digit]) << 4 | nibbleOf(_line[digit + 1]); }
