import JSON
import SagaCore
import Testing

@Suite struct CloudEventTests {
    private func text(
        type: Int16,
        cause: Int? = nil,
        data: String?,
        correlationID: String? = nil
    ) -> String {
        let event = StoredEvent(
            sequence: 12,
            cause: cause,
            type: type,
            at: Fixtures.at(5),
            data: data.map { Array($0.utf8) }
        )
        return CloudEvent(event, saga: Fixtures.id, sagaName: "order", correlationID: correlationID).json.text
    }

    @Test func wholeEvent() {
        #expect(
            text(type: 3, cause: 11, data: #"{"step":"charge","attempt":1,"outcome":"done","output":{"p": 0.10}}"#)
                == #"{"specversion":"1.0","id":"01900000-0000-7000-8000-000000000001/0000000012","#
                + #""source":"/sagas/order","type":"saga.StepSucceeded","#
                + #""subject":"01900000-0000-7000-8000-000000000001","time":"2026-01-01T00:00:05.000Z","#
                + #""datacontenttype":"application/json","sequence":"0000000012","#
                + #""correlationid":"01900000-0000-7000-8000-000000000001","#
                + #""causationid":"01900000-0000-7000-8000-000000000001/0000000011","#
                + #""data":{"step":"charge","attempt":1,"outcome":"done","output":{"p": 0.10}}}"#
        )
    }

    @Test func whatIsAbsentIsNullAndTheStarterNamesTheCorrelation() {
        #expect(
            text(type: 15, data: nil, correlationID: "trace \"7\"")
                == #"{"specversion":"1.0","id":"01900000-0000-7000-8000-000000000001/0000000012","#
                + #""source":"/sagas/order","type":"saga.SagaCompensated","#
                + #""subject":"01900000-0000-7000-8000-000000000001","time":"2026-01-01T00:00:05.000Z","#
                + #""datacontenttype":"application/json","sequence":"0000000012","correlationid":"trace \"7\"","#
                + #""causationid":null,"data":null}"#
        )
    }

    @Test func eventStaysOnOneLineWhateverItsPayload() throws {
        let line = text(type: 1, data: "{\"input\":{\r\n  \"a \\\" b\\\\\": [1.0,\n\t2]\n}}")
        #expect(line.hasSuffix(#""data":{"input":{"a \" b\\":[1.0,2]}}}"#))
        #expect(try JSON.parse(line)["data"]?["input"]?["a \" b\\"]?.text == "[1.0,2]")
    }

    @Test func typeOfANewerProgramIsShownByItsCode() {
        #expect(text(type: 99, data: nil).contains(#""type":"saga.Unknown99""#))
    }

    @Test(arguments: EventType.allCases)
    func everyTypeHasItsName(_ type: EventType) {
        #expect(text(type: type.rawValue, data: nil).contains(#""type":"saga.\#(type.name)""#))
    }
}
