import JSON
import Testing

@Suite struct JSONObjectTests {
    @Test func equalityAndHashIgnoreTheOrder() {
        let one: JSON = ["a": 1, "b": ["c": 2, "d": 3]]
        let other: JSON = ["b": ["d": 3, "c": 2], "a": 1]
        #expect(one == other)
        #expect(one.hashValue == other.hashValue)
        #expect(one != ["a": 1, "b": ["c": 2, "d": 4]])
        #expect(one != ["a": 1])
        #expect(JSON.array([1, 2]) != JSON.array([2, 1]))
    }

    @Test(arguments: [5, 100]) func setsReplacesAndRemoves(_ size: Int) {
        var object = JSONObject()
        for index in 0..<size { object["k\(index)"] = JSON.number(JSONNumber(index)) }
        object["k3"] = "three"
        object["k1"] = nil
        object["absent"] = nil
        object["last"] = true
        #expect(object.count == size)
        #expect(object.keys == (0..<size).filter { $0 != 1 }.map { "k\($0)" } + ["last"])
        #expect(object["k3"] == "three")
        #expect(object["k4"] == 4)
        #expect(object["k1"] == nil)
        for (key, value) in object { #expect(object[key] == value) }
    }

    @Test func readsByNameAndIndex() {
        let value: JSON = ["a": [10, 20], "s": "x", "n": nil, "t": true]
        #expect(value["a"]?[1] == 20)
        #expect(value["a"]?[2] == nil)
        #expect(value["a"]?[-1] == nil)
        #expect(value["a"]?["x"] == nil)
        #expect(value["s"]?.stringValue == "x")
        #expect(value["n"]?.isNull == true)
        #expect(value["t"]?.boolValue == true)
        #expect(value["a"]?[0]?.int64Value == 10)
        #expect(value["missing"] == nil)
    }
}
