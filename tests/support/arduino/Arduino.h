// What the sketches in the documents use of Arduino's core: enough for a compiler to look at them, nothing to run.
#pragma once
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>

#define F(text) (text)
#define HEX 16
enum { LOW, HIGH, INPUT, OUTPUT, INPUT_PULLUP, LED_BUILTIN = 13, A0 = 14, A1, A2, A3, A4, A5 };
typedef uint8_t byte;
typedef bool boolean;

struct String {
  String(const char* = "");
  bool startsWith(const String&) const;
  bool endsWith(const String&) const;
  String substring(unsigned from) const;
  String substring(unsigned from, unsigned to) const;
  long toInt() const;
  float toFloat() const;
  void trim();
  unsigned length() const;
  char operator[](unsigned) const;
  bool operator==(const char*) const;
};

struct Print {
  virtual size_t write(uint8_t) = 0;
  size_t write(const char*);
  size_t write(const uint8_t*, size_t);
  template <class T> size_t print(T, int = 10);
  template <class T> size_t println(T, int = 10);
  size_t println();
  virtual int availableForWrite();
  virtual void flush();
};

struct Stream : Print {
  virtual int available() = 0;
  virtual int read() = 0;
  virtual int peek() = 0;
  String readStringUntil(char);
  long parseInt();
  void setTimeout(unsigned long);
};

struct HardwareSerial : Stream {
  void begin(unsigned long baud, uint8_t config = 0);
  size_t write(uint8_t) override;
  int available() override;
  int read() override;
  int peek() override;
  operator bool();
};
extern HardwareSerial Serial, Serial1;

int analogRead(uint8_t);
void analogWrite(uint8_t, int);
int digitalRead(uint8_t);
void digitalWrite(uint8_t, uint8_t);
void pinMode(uint8_t, uint8_t);
void delay(unsigned long);
unsigned long millis();
unsigned long micros();
