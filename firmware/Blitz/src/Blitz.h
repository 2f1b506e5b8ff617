/*
 * The board's side of the Blitz serial protocol.
 *
 *     #include <Blitz.h>
 *
 *     BlitzBoard<60> board(0x08);  // id 08, keeps the last 60 messages that nobody has fetched yet
 *
 *     void setup() {
 *       Serial.begin(57600);
 *       board.begin(Serial);
 *     }
 *
 *     void loop() {
 *       board.poll();
 *       if (board.isLogging() && itIsTime()) {
 *         BlitzPayload payload;
 *         payload.add(analogRead(A0), 12);
 *         board.log(payload);
 *       }
 *     }
 *
 * Nothing here waits: poll() takes the bytes that have come and leaves what the serial driver has room for. Nothing here
 * may be called from an interrupt.
 */
#ifndef BLITZ_H
#define BLITZ_H

#include <Arduino.h>

/* The second byte of a board's short line. What a BlitzInstruction may return: one of these. */
enum BlitzCode {
  BLITZ_ACK = 0x40,
  BLITZ_TOO_SHORT = 0x61,
  BLITZ_TOO_LONG = 0x62,
  BLITZ_NOT_IMPLEMENTED = 0x63,
  BLITZ_UNKNOWN_MESSAGE = 0x64,
  BLITZ_UNKNOWN_INSTRUCTION = 0x65,
  BLITZ_NOT_LOGGING = 0x66
};

/* The instructions that a sketch may obey. */
enum BlitzInstructionCode {
  BLITZ_SET_SPEED = 0x85,
  BLITZ_SET_ANGLE = 0x86,
  BLITZ_MOTOR_HOME = 0x87,
  BLITZ_CALIBRATION_STEP = 0x88
};

/* When messages are sent: on request, or as soon as they are logged, from power-up on. */
enum BlitzMode { BLITZ_POLLED, BLITZ_STREAMING };

/* The 64 bits of a message, packed from the left, zero where nothing was added. */
class BlitzPayload {
 public:
  static const uint8_t BYTES = 8;

  BlitzPayload() : bytes(), _used(0) {}

  /* Append the lowest `bits` (at most 32) of `value`. What no longer fits into the 64 is left out. */
  BlitzPayload& add(uint32_t value, uint8_t bits);

  /* The 16-bit word with this index, 0 to 3. */
  uint16_t word(uint8_t index) const { return (uint16_t)bytes[2 * index] << 8 | bytes[2 * index + 1]; }

  uint8_t bytes[BYTES];

 private:
  uint8_t _used;
};

/*
 * What to do at an instruction (85 to 88): called from poll(), returns what to answer. Must not wait.
 *
 * payload.word(0) is the speed, angle or set point.
 */
typedef BlitzCode (*BlitzInstruction)(uint8_t code, uint32_t timestamp, const BlitzPayload& payload);

/* A board without the memory for its messages: a BlitzBoard has that. */
class BlitzBoardCore {
 public:
  /* Speak on this port, whose begin() has been called. It must have a buffer to send from, as Serial has. */
  void begin(Stream& port, BlitzMode mode = BLITZ_POLLED);

  /* Answer, and send what is to be sent. Call it in every loop(). */
  void poll();

  /*
   * Log a message, stamped with millis(), if the board is logging; drop the oldest if there is no room.
   *
   * flags: flag1 to flag5 of the line's head, flag1 being 0x10 and flag5 0x01.
   * Returns whether there was no need to drop one.
   */
  bool log(const BlitzPayload& payload, uint8_t flags = 0);

  /* Obey instructions; without this they are answered "not implemented". */
  void onInstruction(BlitzInstruction obey) { _obey = obey; }

  bool isLogging() const { return _isLogging; }

  /* Whether the next log() drops nothing. */
  bool hasRoom() const { return _next(_write) != _send; }

  /* Messages logged since START (or power-up, when streaming): also the number of the next one. */
  uint32_t logged() const { return _logged; }

  /* Those of them that were dropped for want of room. */
  uint32_t dropped() const { return _dropped; }

  /* Those that wait to be sent. */
  uint16_t pending() const { return _write >= _send ? _write - _send : _slots - _send + _write; }

  /* How many can wait. */
  uint16_t capacity() const { return _slots - 1; }

 protected:
  struct Message {
    uint32_t timestamp_ms;
    uint8_t meta;
    uint8_t payload[BlitzPayload::BYTES];
  };

  /* One slot of the ring stays free, so that a full one can be told from an empty one. */
  BlitzBoardCore(uint8_t id, Message* ring, uint16_t slots);

 private:
  static const uint8_t SHORT_DIGITS = 4, HEAD_DIGITS = 12, INSTRUCTION_DIGITS = 16, DATA_DIGITS = 28;

  uint16_t _next(uint16_t place) const { return place + 1 == _slots ? 0 : place + 1; }
  void _readRequest();
  void _answerLine();
  void _answerInstruction(uint8_t meta);
  void _start();
  void _continueSending();
  void _sendOldest();
  void _sendShort(uint8_t code);
  void _sendStatus();
  void _sendLong(uint8_t meta, uint32_t timestamp_ms, const uint8_t* payload);
  void _putByte(uint8_t value);
  void _endLine();
  bool _flush();
  bool _isHex() const;
  uint8_t _byteAt(uint8_t digit) const;

  const uint8_t _id;
  Message* const _ring;
  const uint16_t _slots;
  uint16_t _write, _send;
  uint32_t _logged, _dropped;
  Stream* _port;
  BlitzInstruction _obey;
  BlitzMode _mode;
  bool _isLogging;
  bool _isTransmitting;
  uint16_t _toTransmit;
  bool _isSkipping;
  uint8_t _lineLength, _outLength, _outSent;
  char _line[DATA_DIGITS];
  char _out[DATA_DIGITS + 2];
};

/*
 * A board that keeps the last CAPACITY messages which nobody has fetched yet, 13 bytes each.
 *
 * 100 fit into an ATmega328P with little else in it, 500 into an ATmega2560.
 */
template <uint16_t CAPACITY>
class BlitzBoard : public BlitzBoardCore {
  // The status answer has 10 bits for a place in the ring.
  static_assert(CAPACITY >= 1 && CAPACITY <= 1023, "a board keeps 1 to 1023 messages");

 public:
  explicit BlitzBoard(uint8_t id) : BlitzBoardCore(id, _messages, CAPACITY + 1) {}

 private:
  Message _messages[CAPACITY + 1];
};

#endif
