/*
 * A "Motor" board, which every Blitz knows: it obeys a set point of 0 to 40 degrees and reports how far it has come.
 *
 * Payload: raw_adc, motor_value and set_point, 16 bits each. The motor is a pulse width on pin 9, which moves by a degree
 * every 20 ms; only an operator's instruction moves it, and a reset leaves it where it starts, at 0.
 */
#include <Blitz.h>

#ifndef BLITZ_BAUD
#define BLITZ_BAUD 57600
#endif

const uint32_t PERIOD_MS = 20;
const uint8_t MOTOR_PIN = 9, MAX_DEGREES = 40;

BlitzBoard<60> board(0x09);
uint32_t last_ms = 0;
uint16_t set_point = 0, degrees = 0;

BlitzCode obey(uint8_t code, uint32_t, const BlitzPayload& payload) {
  if (code != BLITZ_SET_SPEED) return BLITZ_NOT_IMPLEMENTED;
  if (payload.word(0) > MAX_DEGREES) return BLITZ_UNKNOWN_INSTRUCTION;
  set_point = payload.word(0);
  return BLITZ_ACK;
}

void setup() {
  pinMode(MOTOR_PIN, OUTPUT);
  Serial.begin(BLITZ_BAUD);
  board.onInstruction(obey);
  board.begin(Serial);
}

void loop() {
  board.poll();
  if (millis() - last_ms < PERIOD_MS) return;
  last_ms += PERIOD_MS;
  if (degrees < set_point) degrees++;
  if (degrees > set_point) degrees--;
  analogWrite(MOTOR_PIN, degrees * 255 / MAX_DEGREES);
  if (!board.isLogging()) return;
  BlitzPayload payload;
  payload.add(analogRead(A0), 16).add(degrees, 16).add(set_point, 16);
  board.log(payload);
}
